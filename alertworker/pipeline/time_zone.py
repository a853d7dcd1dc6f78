"""The ledger's time zone in the pipeline: log a change once, with its effect on the figures."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

_log: Final = logging.getLogger(__name__)
#: How often the zone is checked, so that workers with different zones do not fill the log.
_EVERY: Final = timedelta(minutes=1)


def check_zone(tx: Transaction, runtime: Runtime, *, now: datetime) -> None:
    """Store the zone that separates the ledger's days, and log a warning if it has changed."""
    if tx.clock.claim_every(Clock.ZONE_CHECKED, every=_EVERY, now=now):
        change = tx.time_zone.keep_zone(runtime.zone.key, now=now)
        if change is not None:
            _log.warning("%s", change)
