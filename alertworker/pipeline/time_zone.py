"""The ledger's time zone on the line: a change of it is said once, in the log, with what it means for figures."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

_log: Final = logging.getLogger("alertworker.ledger")
#: How often it is looked at, so that workers that disagree do not fill the log.
_EVERY: Final = timedelta(minutes=1)


def look_at_zone(tx: Transaction, runtime: Runtime, *, now: datetime) -> None:
    """Note in which zone days are cut, and warn where that has changed."""
    if tx.clock.claim_every(Clock.ZONE_CHECKED, every=_EVERY, now=now):
        change = tx.keep_zone(runtime.zone.key, now=now)
        if change is not None:
            _log.warning("%s", change)
