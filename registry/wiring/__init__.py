"""The one place that names concrete back-ends: settings in, a ``Registry`` out."""

from registry.wiring.registry import Registry, open_registry

__all__ = ["Registry", "open_registry"]
