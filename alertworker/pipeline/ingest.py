"""Ingest: one batch is one transaction. A batch that comes again changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from alertworker.budgets.configured import CapExemptions
from alertworker.detectors import DETECTORS
from alertworker.events.batch import BatchError, Decoded, decode
from alertworker.events.compression import ZSTD, compress
from alertworker.folding import Fold, fold
from alertworker.pipeline.batches import BatchContext, BatchMessage
from alertworker.pipeline.budgets import judge_budgets
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.hanging import judge_hanging
from alertworker.pipeline.notify import claim
from alertworker.pipeline.outages import judge_outages
from alertworker.pipeline.relayed import relayed_alerts
from alertworker.pipeline.runtime import Runtime
from alertworker.pipeline.spend_tracked import track_spend
from alertworker.ports import Clock, Transaction
from alertworker.ports.batches import BatchClaim
from alertworker.text.ids import safe_id

#: How long batch ids are kept. An older batch may have been applied before, so it is parked.
MAX_BATCH_AGE: Final = timedelta(days=35)
#: How many bytes of rejected events a batch may add to the database: 16 for each byte that was sent, or 1 MiB.
MAX_REJECTED_BYTES: Final = 1024 * 1024
REJECTED_PER_BYTE: Final = 16
#: A parked batch that is larger than this, in bytes, is kept compressed; it may have come so, as part of its message.
_MAX_PLAIN: Final = 64 * 1024
#: How many alerts one batch may raise. Each takes milliseconds of a transaction that others wait for.
MAX_ALERTS: Final = 1_000
#: How many budgets one batch may report and how many window rows it may change: twice what 500 calls need.
MAX_READINGS: Final = 2_000
MAX_ROWS: Final = 10_000
#: The ids that ``POST /v1/events`` makes of an Idempotency-Key and a body.
_HTTP_ID: Final = re.compile(r"http:[0-9a-f]{40}")


def ingest(batch: BatchMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply a batch once, however often it is delivered.

    Raises:
        StoreUnavailable: the database cannot be reached; the batch must stay with the broker.
    """
    if batch.sealed_at is not None and batch.sealed_at < now - MAX_BATCH_AGE:
        _park(batch, f"sealed more than {MAX_BATCH_AGE.days} days ago", runtime, now=now)
        return
    try:
        rejected = max(MAX_REJECTED_BYTES, REJECTED_PER_BYTE * batch.size)
        decoded = decode(batch.events, batch.encoding, most_rejected=rejected)
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
    """Fold a batch with the settings in force."""
    return fold(decoded.events, slow_seconds=runtime.policy.threshold_seconds, zone=runtime.zone, now=now)


def _bound(folded: Fold) -> None:
    """Refuse a batch that would change so many rows that its transaction would delay all others.

    Raises:
        BatchError: it has more than `MAX_READINGS` budgets or more than `MAX_ROWS` window rows.
    """
    rows = len(folded.windows) + len(folded.causes) + len(folded.calls)
    if len(folded.budgets) > MAX_READINGS:
        raise BatchError(f"the batch reports {len(folded.budgets):,} budgets; the limit is {MAX_READINGS:,}")
    if rows > MAX_ROWS:
        raise BatchError(f"the batch changes {rows:,} window rows; the limit is {MAX_ROWS:,}")


def apply(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> None:
    """Make every change that a batch causes, unless it was applied before.

    Raises:
        BatchError: the batch would raise more than `MAX_ALERTS` alerts.
    """
    digest = _digest(batch)
    claim_of_id = tx.claim_batch(batch.batch_id, batch.producer, len(decoded.events), digest=digest, now=now)
    if claim_of_id is BatchClaim.CONFLICT:
        _park_conflict(tx, batch, digest, now=now)
    if claim_of_id is not BatchClaim.NEW:
        return
    _record(tx, batch, decoded, folded, runtime, now=now)
    # A transaction reads silences once. They are read after the ledger's locks, so that a wait does not make them old.
    asked = {matcher.label for silence in tx.silences(now=now) for matcher in silence.matchers}
    policy = replace(runtime.policy, group_by=runtime.router.labels | asked)
    context = BatchContext(tx, folded, runtime, policy, now)
    for step in STEPS:
        step(context)


def _record(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> None:
    """Add the batch to the ledger and the windows, and keep what publishers report and what cannot be read."""
    tx.add_fold(folded, max_entities=runtime.max_entities, exempt=CapExemptions(runtime.budgets))
    tx.hear_publishers(folded.publishers.values(), now=now)
    if folded.canary_sent_at is not None:
        tx.clock.advance(Clock.CANARY_ARRIVED, folded.canary_sent_at)
    for bad in decoded.rejected:
        tx.dead_letter("event", bad.reason, bad.payload, batch_id=batch.batch_id, position=bad.index, now=now)


def _detect(context: BatchContext) -> None:
    """Claim the alerts that detectors find in the batch, and those of LiteLLM's own alerting.

    Raises:
        BatchError: they are more than `MAX_ALERTS`.
    """
    alerts = [alert for detect in DETECTORS.values() for alert in detect(context.folded, context.policy)]
    alerts += relayed_alerts(context)
    if len(alerts) > MAX_ALERTS:
        raise BatchError(f"the batch would raise {len(alerts):,} alerts; the limit is {MAX_ALERTS:,}")
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        claim(context.tx, alert, context.runtime, now=context.now)


def _count_clamped(context: BatchContext) -> None:
    context.tx.count("clamped", "clock ahead", context.folded.clamped)


#: What follows from a recorded batch, in order. Outages come first, because an open outage inhibits the alerts about
#: calls that it explains, and those calls may be in the same batch. The order is also that of the tables' locks.
STEPS: Final[tuple[Callable[[BatchContext], None], ...]] = (
    judge_outages,
    judge_hanging,
    _detect,
    judge_budgets,
    track_spend,
    _count_clamped,
)


def _park(batch: BatchMessage, reason: str, runtime: Runtime, *, now: datetime) -> None:
    """Keep a whole batch as one dead letter with its bytes, however often it is delivered."""
    digest = _digest(batch)
    payload = _kept(batch)

    def work(tx: Transaction) -> None:
        match tx.claim_batch(batch.batch_id, batch.producer, 0, digest=digest, now=now):
            case BatchClaim.NEW:
                tx.dead_letter("batch", reason, payload, batch_id=batch.batch_id, position=None, now=now)
            case BatchClaim.CONFLICT:
                _park_conflict(tx, batch, digest, now=now)

    runtime.store.run(work)


def _park_conflict(tx: Transaction, batch: BatchMessage, digest: str | None, *, now: datetime) -> None:
    """Park a batch whose id another batch has used; once, under an id of its own, by which it can be replayed."""
    own_id = safe_id(f"{batch.batch_id}~{digest}")
    if tx.claim_batch(own_id, batch.producer, 0, digest=digest, now=now) is BatchClaim.NEW:
        reason = f"another batch was applied or parked under the same id, {batch.batch_id}; replay applies this one"
        tx.dead_letter("batch", reason, _kept(batch), batch_id=own_id, position=None, now=now)


def _digest(batch: BatchMessage) -> str | None:
    """Return a digest of the events as they came.

    An id that the HTTP endpoint made of an Idempotency-Key stands for the client's body already; the endpoint gives the
    body's events a new time with every request.
    """
    if batch.producer == "http" and _HTTP_ID.fullmatch(batch.batch_id):
        return None
    return blake2b(_bytes_of(batch.events), digest_size=16).hexdigest()


def _kept(batch: BatchMessage) -> bytes:
    """Return what a dead letter keeps of a batch: its bytes, compressed if they are many."""
    payload = _bytes_of(batch.events)
    return payload if len(payload) <= _MAX_PLAIN or payload.startswith(ZSTD) else compress(payload)


def _bytes_of(events: object) -> bytes:
    """Return the bytes of events. Parking must not fail, whatever the events are."""
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode("utf-8", "surrogatepass")
    try:
        return to_json(events, fallback=str, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        return f"({type(events).__name__} that is not JSON)".encode()
