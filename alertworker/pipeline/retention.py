"""Retention: delete old rows, once an hour, in short transactions."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.pipeline.budgets import forget_budgets
from alertworker.pipeline.ingest import MAX_BATCH_AGE
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock

#: How often old rows are deleted.
EVERY: Final = timedelta(hours=1)
#: How many rows of each table one transaction deletes.
PIECE: Final = 1_000
#: The maximum number of transactions of each kind in one pass. The next pass deletes the rest.
MOST: Final = 500


def forget(runtime: Runtime, *, now: datetime) -> None:
    """Delete old rows, unless a worker did so within the hour."""
    if not runtime.store.run(lambda tx: tx.clock.claim_every(Clock.PRUNED, every=EVERY, now=now)):
        return
    day = (now - runtime.retention).astimezone(runtime.zone).date()
    for piece in (
        lambda tx: tx.retention.prune(before=now - MAX_BATCH_AGE, limit=PIECE),
        lambda tx: tx.retention.prune_records(before=now - runtime.record_retention, limit=PIECE),
        partial(forget_budgets, runtime=runtime, limit=PIECE, now=now),
        lambda tx: tx.retention.prune_ledger(before=day),
    ):
        for _ in range(MOST):
            if not runtime.store.run(piece):
                break
