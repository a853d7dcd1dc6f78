"""Ingest: one batch, one transaction; the same batch again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from alertworker.budgets.configured import CapExemptions
from alertworker.detectors import DETECTORS
from alertworker.events.batch import BatchError, Decoded, decode
from alertworker.folding import Fold, fold
from alertworker.pipeline.budgets import judge_budgets
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.hanging import judge_hanging
from alertworker.pipeline.notify import claim
from alertworker.pipeline.outages import judge_outages
from alertworker.pipeline.relayed import is_covered, judge_relayed
from alertworker.pipeline.runtime import Runtime
from alertworker.pipeline.spend_tracked import track_spend
from alertworker.ports import Transaction
from alertworker.text.ids import safe_id

#: How long batch ids are kept; an older batch cannot be told from one that was applied, so it is parked.
MAX_BATCH_AGE: Final = timedelta(days=35)
#: After how many deliveries without success a batch is parked: it keeps killing its worker.
MAX_REDELIVERIES: Final = 5
#: How many alerts one batch may raise: each takes milliseconds of a transaction that nothing else can pass.
MAX_ALERTS: Final = 1_000
#: How many budgets one batch may report, and how many rows of windows it may change: twice what 500 calls need.
MAX_READINGS: Final = 2_000
MAX_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """A batch as the broker gave it; ``redelivered`` says that somebody may have worked on it before."""

    batch_id: str
    events: object
    encoding: str | None = None
    producer: str = ""
    sealed_at: datetime | None = None
    redelivered: bool = False
    #: Why the broker itself gave the batch up, if it did.
    given_up: str | None = None

    def __post_init__(self) -> None:
        """Make both ids storable: a batch that cannot be parked would be redelivered without end."""
        object.__setattr__(self, "batch_id", safe_id(self.batch_id))
        object.__setattr__(self, "producer", safe_id(self.producer))


def ingest(batch: BatchMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply a batch once, however often it comes.

    Raises:
        StoreUnavailable: the database cannot be asked; the batch must stay with the broker.
    """
    if batch.given_up is not None:
        _park(batch, batch.given_up, runtime, now=now)
        return
    if batch.redelivered and runtime.store.count_redelivery(batch.batch_id, now=now) > MAX_REDELIVERIES:
        _park(batch, f"not applied after {MAX_REDELIVERIES} redeliveries", runtime, now=now)
        return
    if batch.sealed_at is not None and batch.sealed_at < now - MAX_BATCH_AGE:
        _park(batch, f"sealed more than {MAX_BATCH_AGE.days} days ago", runtime, now=now)
        return
    try:
        decoded = decode(batch.events, batch.encoding)
    except BatchError as error:
        _park(batch, str(error), runtime, now=now)
        return
    folded = fold_batch(decoded, runtime, now=now)
    try:
        _bound(folded)
        runtime.store.run(lambda tx: apply(tx, batch, decoded, folded, runtime, now=now))
    except BatchError as error:
        _park(batch, str(error), runtime, now=now)
        return
    wake(runtime, now=now)


def fold_batch(decoded: Decoded, runtime: Runtime, *, now: datetime) -> Fold:
    """Add a batch up, by the settings."""
    return fold(decoded.events, slow_seconds=runtime.policy.threshold_seconds, zone=runtime.zone, now=now)


def _bound(folded: Fold) -> None:
    """Refuse a batch whose sums take so many rows that its transaction would hold up all others.

    Raises:
        BatchError: more than `MAX_READINGS` budgets, or more than `MAX_ROWS` rows of windows.
    """
    rows = len(folded.windows) + len(folded.causes) + len(folded.calls)
    if len(folded.budgets) > MAX_READINGS:
        raise BatchError(f"the batch reports {len(folded.budgets):,} budgets; at most {MAX_READINGS:,} are taken")
    if rows > MAX_ROWS:
        raise BatchError(f"the batch changes {rows:,} rows of windows; at most {MAX_ROWS:,} are taken")


def apply(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> None:
    """Do all that a batch changes, unless it was done before.

    Raises:
        BatchError: it would raise more than `MAX_ALERTS` alerts.
    """
    if not tx.claim_batch(batch.batch_id, batch.producer, len(decoded.events), now=now):
        return
    tx.add_fold(folded, max_entities=runtime.max_entities, exempt=CapExemptions(runtime.budgets))
    tx.hear_publishers(folded.publishers.values(), now=now)
    if folded.canary_sent_at is not None:
        tx.mark_line("canary_arrived", folded.canary_sent_at)
    for bad in decoded.rejected:
        tx.dead_letter("event", bad.reason, bad.payload, batch_id=batch.batch_id, position=bad.index, now=now)
    asked = {matcher.label for silence in tx.silences(now=now) for matcher in silence.matchers}
    policy = replace(runtime.policy, group_by=runtime.router.labels | asked)
    judge_outages(tx, folded, runtime, now=now)
    judge_hanging(tx, folded, policy, runtime, now=now)
    alerts = [alert for detect in DETECTORS.values() for alert in detect(folded, policy)]
    covered = is_covered(tx, folded, now=now)
    alerts += judge_relayed(tx, folded, runtime.users, covered=covered, now=now)
    if len(alerts) > MAX_ALERTS:
        raise BatchError(f"the batch would raise {len(alerts):,} alerts; at most {MAX_ALERTS:,} are taken")
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        claim(tx, alert, runtime, now=now)
    judge_budgets(tx, folded, runtime, now=now)
    track_spend(tx, folded, runtime, covered=covered, now=now)
    tx.count("clamped", "clock ahead", folded.clamped)


def _park(batch: BatchMessage, reason: str, runtime: Runtime, *, now: datetime) -> None:
    """Put a whole batch with the dead letters, with its bytes; once, however often it comes."""
    payload = _bytes_of(batch.events)

    def work(tx: Transaction) -> None:
        if tx.claim_batch(batch.batch_id, batch.producer, 0, now=now):
            tx.dead_letter("batch", reason, payload, batch_id=batch.batch_id, position=None, now=now)

    runtime.store.run(work)


def _bytes_of(events: object) -> bytes:
    """Return what a dead letter keeps; parking must not fail, whatever the events are."""
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode("utf-8", "surrogatepass")
    try:
        return to_json(events, fallback=str, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        return f"({type(events).__name__} that is no JSON)".encode()
