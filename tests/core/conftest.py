import sys
from pathlib import Path

# Test modules are imported one by one (importlib mode), so what they share has to be found on the path.
sys.path.append(str(Path(__file__).parent / "support"))
