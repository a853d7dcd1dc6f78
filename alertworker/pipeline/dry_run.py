"""Dry run: apply events, record the decisions, and roll back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertworker.events.base import new_id
from alertworker.events.batch import decode, decode_items
from alertworker.events.json_items import Item
from alertworker.pipeline.batches import BatchMessage, DecodedBatch
from alertworker.pipeline.ingest import apply, fold_events
from alertworker.pipeline.runtime import NotifyOutcome, Runtime
from alertworker.ports import Transaction


@dataclass(frozen=True, slots=True)
class DryRunEvent:
    """The index and type of one event, with its outcomes, or with the reason why it is ``refused``."""

    index: int
    type: str | None
    refused: str | None = None
    outcomes: tuple[NotifyOutcome, ...] = ()


def dry_run(items: Sequence[object], runtime: Runtime, *, now: datetime) -> list[DryRunEvent]:
    """Apply events one after the other in one transaction, and roll it back. Nothing is sent.

    Ends of conditions, summaries and reminders depend on the clock and are left out. Other workers wait for the rows
    that the transaction locks, so ``items`` should be no more than a batch.
    """
    outcomes: list[NotifyOutcome] = []
    watched = replace(runtime, watch=outcomes.append)

    def one(tx: Transaction, index: int, item: object) -> DryRunEvent:
        outcomes.clear()
        decoded = decode_items([item]) if isinstance(item, Item) else decode([item], None)
        if decoded.rejected:
            return DryRunEvent(index, None, decoded.rejected[0].reason)
        folded = fold_events(decoded.events, watched, now=now)
        batch = DecodedBatch(BatchMessage(str(new_id()), b""), decoded.events)
        apply(tx, [batch], folded, watched, now=now)
        return DryRunEvent(index, decoded.events[0].model_dump()["type"], outcomes=tuple(outcomes))

    return runtime.store.dry_run(lambda tx: [one(tx, index, item) for index, item in enumerate(items)])
