"""Dry run: what events would lead to, by really applying them and then rolling back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertworker.events.base import new_id
from alertworker.events.batch import decode, decode_items
from alertworker.events.json_items import Item
from alertworker.pipeline.batches import BatchMessage
from alertworker.pipeline.ingest import apply, fold_batch
from alertworker.pipeline.runtime import Runtime, Verdict
from alertworker.ports import Transaction


@dataclass(frozen=True, slots=True)
class DryRunEvent:
    """What one event would lead to: its place, its type, and either why it is ``refused`` or the verdicts."""

    index: int
    type: str | None
    refused: str | None = None
    verdicts: tuple[Verdict, ...] = ()


def dry_run(items: Sequence[object], runtime: Runtime, *, now: datetime) -> list[DryRunEvent]:
    """Apply events one after the other, each upon those before it, and take everything back; nothing is sent.

    What the clock alone decides (ends of conditions, summaries, reminders) is not part of it. The transaction is open
    while all of them are applied, and others wait for the rows it touches: give at most a batch's worth.
    """
    verdicts: list[Verdict] = []
    watched = replace(runtime, watch=verdicts.append)

    def one(tx: Transaction, index: int, item: object) -> DryRunEvent:
        verdicts.clear()
        decoded = decode_items([item]) if isinstance(item, Item) else decode([item], None)
        if decoded.rejected:
            return DryRunEvent(index, None, decoded.rejected[0].reason)
        folded = fold_batch(decoded, watched, now=now)
        apply(tx, BatchMessage(str(new_id()), b""), decoded, folded, watched, now=now)
        return DryRunEvent(index, decoded.events[0].model_dump()["type"], verdicts=tuple(verdicts))

    return runtime.store.dry_run(lambda tx: [one(tx, index, item) for index, item in enumerate(items)])
