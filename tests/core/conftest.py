import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# Test modules are imported one by one (importlib mode), so what they share has to be found on the path.
sys.path.append(str(Path(__file__).parent / "support"))

# A busy machine is no failure.
settings.register_profile("core", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("core")
