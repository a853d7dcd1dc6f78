"""The thresholds that detectors judge by, out of the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """``threshold_seconds`` is LiteLLM's ``alerting_threshold``: slower is too slow, longer without progress hangs."""

    threshold_seconds: float = 300.0
