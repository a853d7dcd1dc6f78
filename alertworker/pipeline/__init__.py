"""The line: ingest, sweep, report, deliver. It mixes pure decisions with the ports, and knows nothing below them."""

from __future__ import annotations

from alertworker.pipeline.deliver import deliver
from alertworker.pipeline.ingest import BatchMessage, ingest
from alertworker.pipeline.rehearsal import Rehearsed, rehearse
from alertworker.pipeline.replay import replay
from alertworker.pipeline.report import Reporter
from alertworker.pipeline.runtime import Runtime, Verdict
from alertworker.pipeline.sweep import sweep
from alertworker.pipeline.trials import Trial, kinds_of, routed, try_channels
from alertworker.pipeline.watch import StoreWatch

__all__ = [
    "BatchMessage",
    "Rehearsed",
    "Reporter",
    "Runtime",
    "StoreWatch",
    "Trial",
    "Verdict",
    "deliver",
    "ingest",
    "kinds_of",
    "rehearse",
    "replay",
    "routed",
    "sweep",
    "try_channels",
]
