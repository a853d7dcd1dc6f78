"""The thresholds that detectors judge by, out of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alertworker.windows import Limits

_OUTAGE: Final = Limits(seconds=60, minor=5, major=10)
_REGION_OUTAGE: Final = Limits(seconds=60, minor=5, major=10, deployments=2)


@dataclass(frozen=True, slots=True)
class Policy:
    """``threshold_seconds`` is LiteLLM's ``alerting_threshold``: slower is too slow, longer without progress hangs.

    Calls that differ in a label of ``group_by`` are different alerts: routes and silences ask about it, so that one
    team's silence, or receiver, never decides for another team. ``outage`` and ``region_outage`` say when failed
    attempts are an outage, and ``max_outage_details`` how many of them are kept by name.
    ``langfuse_host`` is where calls' traces are shown.
    """

    threshold_seconds: float = 300.0
    group_by: frozenset[str] = frozenset()
    outage: Limits = _OUTAGE
    region_outage: Limits = _REGION_OUTAGE
    max_outage_details: int = 1_000
    langfuse_host: str | None = None
