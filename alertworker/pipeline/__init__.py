"""The pipeline: ingest, sweep, report and deliver. It calls pure decisions and the ports only."""

from __future__ import annotations

from alertworker.pipeline.batches import BatchMessage
from alertworker.pipeline.channel_tests import ChannelTest, kinds_of, routed_channels, try_channels
from alertworker.pipeline.current import current_row
from alertworker.pipeline.deliver import deliver
from alertworker.pipeline.dry_run import DryRunEvent, dry_run
from alertworker.pipeline.ingest import ingest
from alertworker.pipeline.processes import start_publishing
from alertworker.pipeline.receive import (
    BrokerMessage,
    Oversize,
    admit,
    arguments_of,
    log_ids,
    park,
    receive,
    receive_together,
)
from alertworker.pipeline.replay import replay
from alertworker.pipeline.report import Reporter
from alertworker.pipeline.runtime import NotifyOutcome, Runtime
from alertworker.pipeline.store_watchdog import StoreWatchdog
from alertworker.pipeline.sweep import sweep

__all__ = [
    "BatchMessage",
    "BrokerMessage",
    "ChannelTest",
    "DryRunEvent",
    "NotifyOutcome",
    "Oversize",
    "Reporter",
    "Runtime",
    "StoreWatchdog",
    "admit",
    "arguments_of",
    "current_row",
    "deliver",
    "dry_run",
    "ingest",
    "kinds_of",
    "log_ids",
    "park",
    "receive",
    "receive_together",
    "replay",
    "routed_channels",
    "start_publishing",
    "sweep",
    "try_channels",
]
