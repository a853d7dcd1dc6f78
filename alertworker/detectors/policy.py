"""The thresholds that detectors use, from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from alertworker.outages.policy import OutagePolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings by which detectors judge a batch.

    ``threshold_seconds`` is LiteLLM's ``alerting_threshold``: a call that takes longer is slow, and a call without
    progress for longer hangs. Calls that differ in a label of ``group_by`` are different alerts. These are the labels
    that routes and silences ask about, so one team's silence or receiver never decides for another team. ``outages``
    defines when failed attempts are an outage. ``langfuse_host`` is the address of the calls' traces. Times are shown
    in ``zone``. ``names`` are those of teams, keys and users that changes name by id, by dimension and id.
    """

    threshold_seconds: float = 300.0
    group_by: frozenset[str] = frozenset()
    outages: OutagePolicy = field(default_factory=OutagePolicy)
    langfuse_host: str | None = None
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
