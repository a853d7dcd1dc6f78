"""The thresholds that detectors judge by, out of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from alertworker.outages.windows import OutagePolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """``threshold_seconds`` is LiteLLM's ``alerting_threshold``: slower is too slow, longer without progress hangs.

    Calls that differ in a label of ``group_by`` are different alerts: routes and silences ask about it, so that one
    team's silence, or receiver, never decides for another team. ``outages`` says when failed attempts are an outage.
    ``langfuse_host`` is where calls' traces are shown.
    """

    threshold_seconds: float = 300.0
    group_by: frozenset[str] = frozenset()
    outages: OutagePolicy = field(default_factory=OutagePolicy)
    langfuse_host: str | None = None
