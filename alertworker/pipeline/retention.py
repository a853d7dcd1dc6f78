"""Retention: delete old rows, once an hour, in short transactions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.pipeline.budgets import forget_budgets
from alertworker.pipeline.ingest import MAX_BATCH_AGE
from alertworker.pipeline.isolation import run_each
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

#: How often old rows are deleted.
EVERY: Final = timedelta(hours=1)
#: How many rows of each table one transaction deletes.
PIECE: Final = 1_000
#: The maximum number of transactions of each kind in one pass. The next pass deletes the rest.
MOST: Final = 500


def forget(runtime: Runtime, *, now: datetime) -> None:
    """Delete old rows, unless a worker did so within the hour."""
    if not runtime.store.read_first(lambda tx: tx.clock.claim_every(Clock.PRUNED, every=EVERY, now=now)):
        return
    day = (now - runtime.retention).astimezone(runtime.zone).date()
    pieces: dict[str, Callable[[Transaction], bool]] = {
        "batches": lambda tx: tx.retention.prune(before=now - MAX_BATCH_AGE, limit=PIECE),
        "records": lambda tx: tx.retention.prune_records(before=now - runtime.record_retention, limit=PIECE),
        "budgets": partial(forget_budgets, runtime=runtime, limit=PIECE, now=now),
        "ledger": lambda tx: tx.retention.prune_ledger(before=day),
    }
    steps = {f"retention of {what}": partial(_in_pieces, runtime, piece) for what, piece in pieces.items()}
    run_each(steps, runtime, now=now)


def _in_pieces(runtime: Runtime, piece: Callable[[Transaction], bool]) -> None:
    for _ in range(MOST):
        if not runtime.store.run(piece):
            return
