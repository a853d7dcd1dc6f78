"""Settings: the only reader of the environment and of YAML on the worker's side."""

from __future__ import annotations

from alertworker.settings.loader import ConfigurationError, load_settings
from alertworker.settings.model import Settings

__all__ = ["ConfigurationError", "Settings", "load_settings"]
