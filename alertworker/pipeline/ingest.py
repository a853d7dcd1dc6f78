"""Ingest: apply one batch in one transaction. A redelivered batch changes nothing.

Budgets beyond the first piece are the exception: each piece has a transaction of its own (`_judge_rest`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from alertworker.alerts.alert import Alert
from alertworker.alerts.many import sum_up
from alertworker.budgets.configured import CapExemptions
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.detectors import DETECTORS, Policy, admin
from alertworker.events import CallEvent
from alertworker.events.base import new_id
from alertworker.events.batch import MAX_BATCH_BYTES, WORKER, BatchError, Decoded, decode
from alertworker.events.compression import ZSTD, CompressionError, compress, decompress
from alertworker.folding import Fold, fold
from alertworker.pipeline.batches import BatchContext, BatchMessage
from alertworker.pipeline.budgets import MAX_CROSSED, BudgetPiece, budget_pieces, judge_budgets, judge_piece
from alertworker.pipeline.callers import label_cooldowns
from alertworker.pipeline.credentials import judge_credentials, label_refused
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.explained import keep_explanation
from alertworker.pipeline.hanging import judge_hanging
from alertworker.pipeline.llm import raise_severity
from alertworker.pipeline.notify import claim
from alertworker.pipeline.outages import judge_outages
from alertworker.pipeline.refused import RefusedCredentials
from alertworker.pipeline.relayed import relayed_alerts
from alertworker.pipeline.runtime import Runtime
from alertworker.pipeline.spend_tracked import track_spend
from alertworker.ports import Clock, Transaction
from alertworker.ports.batches import BatchClaim, CounterName
from alertworker.text.ids import safe_id

_log: Final = logging.getLogger(__name__)
#: How long batch ids are kept. An older batch may have been applied before, so it is parked.
MAX_BATCH_AGE: Final = timedelta(days=35)
#: The maximum number of bytes of rejected events that a batch may add to the database. It is 1 MiB, or 16 for each byte
#: of its message if that is more.
MAX_REJECTED_BYTES: Final = 1024 * 1024
REJECTED_PER_BYTE: Final = 16
#: A parked batch that is larger than this, in bytes, is stored compressed.
_MAX_PLAIN: Final = 64 * 1024
#: How many budgets one batch may report. They are judged in pieces, which raise a bounded number of alerts.
MAX_READINGS: Final = 20_000
#: How many rows of windows one batch may change. 5,000 calls that failed on 16 deployments of 16 regions each have
#: fewer. A row takes 20 to 40 µs.
MAX_ROWS: Final = 200_000
#: How many counts of dropped events a batch may have: 5,000 publishers with all reasons.
MAX_DROPS: Final = 40_000
#: How many rows of the ledger one batch may change: 5,000 calls that share nothing, each with eight tags.
MAX_LEDGER_ROWS: Final = 100_000
#: A batch id that ``POST /v1/events`` derives from an Idempotency-Key and a body.
_HTTP_ID: Final = re.compile(r"http:[0-9a-f]{40}")


def ingest(batch: BatchMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply a batch once, however often it is delivered.

    Raises:
        StoreUnavailable: the database is unreachable; the batch must stay with the broker.
    """
    batch = replace(batch, digest=_digest(batch))
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
        applied = runtime.store.run(lambda tx: apply(tx, batch, decoded, folded, runtime, now=now))
    except BatchError as error:
        _park(batch, str(error), runtime, now=now)
        return
    if applied:
        _judge_rest(batch, folded, runtime, now=now)
    wake(runtime, now=now)


def fold_batch(decoded: Decoded, runtime: Runtime, *, now: datetime) -> Fold:
    """Fold a batch with the runtime's settings."""
    receivers = runtime.router.selectable
    events = [event.choosing(receivers) if isinstance(event, CallEvent) else event for event in decoded.events]
    return fold(events, slow_seconds=runtime.policy.threshold_seconds, zone=runtime.zone, now=now)


def _bound(folded: Fold) -> None:
    """Refuse a batch whose transaction would be too long for the others that wait.

    Raises:
        BatchError: the batch has more than `MAX_READINGS` budgets, or more rows than a bound above.
    """
    if len(folded.budgets) > MAX_READINGS:
        raise BatchError(f"the batch reports {len(folded.budgets):,} budgets; the limit is {MAX_READINGS:,}")
    if folded.outages.rows > MAX_ROWS:
        raise BatchError(f"the batch changes {folded.outages.rows:,} window rows; the limit is {MAX_ROWS:,}")
    if len(folded.drops) > MAX_DROPS:
        raise BatchError(f"the batch has {len(folded.drops):,} counts of dropped events; the limit is {MAX_DROPS:,}")
    # The exact number costs as much as the batch itself, so it is asked only where it may matter.
    if folded.ledger.most_rows > MAX_LEDGER_ROWS and (rows := len(folded.ledger.spend())) > MAX_LEDGER_ROWS:
        raise BatchError(f"the batch changes {rows:,} rows of the ledger; the limit is {MAX_LEDGER_ROWS:,}")


def apply(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> bool:
    """Make every change that a batch causes, unless the batch was applied before.

    Only the first piece of its budgets is judged here. Return false if the batch is parked because another batch has
    its id.

    Raises:
        BatchError: more targets than `MAX_OUTAGES` have an outage (`judge_outages`).
    """
    claim_of_id = tx.batches.claim_batch(
        batch.batch_id, batch.producer, len(decoded.events), digest=batch.digest, now=now
    )
    if claim_of_id is BatchClaim.CONFLICT:
        _park_conflict(tx, batch, now=now)
        return False
    if claim_of_id is BatchClaim.REPEATED:
        return True
    _record(tx, batch, decoded, folded, runtime, now=now)
    # A transaction reads silences once: after the wait for the ledger's locks, so that they are not outdated.
    asked = {matcher.label for silence in tx.silences.current(now=now) for matcher in silence.matchers}
    names = tx.aliases.newest_names(admin.entities([*folded.changed, *folded.changed_relayed]))
    policy = replace(runtime.policy, group_by=runtime.router.labels | asked, names=names)
    detected = _detected(tx, folded, runtime, policy, now=now)
    context = BatchContext(tx, folded, runtime, policy, now, RefusedCredentials(tx), detected)
    for step in STEPS:
        step(context)
    return True


def _record(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> None:
    """Add the batch to the ledger and the windows. Store its heartbeats, its canary and its rejected events."""
    exempt = CapExemptions(runtime.budgets)
    tx.ledger.add(folded.ledger, max_entities=runtime.max_entities, exempt=exempt)
    tx.outages.add_sums(folded.outages)
    tx.ledger.add_drops(folded.drops)
    tx.publishers.update_publishers(folded.publishers.values(), now=now)
    if folded.canary_sent_at is not None:
        _record_canary(tx, batch, folded.canary_sent_at)
    for bad in decoded.rejected:
        tx.dead_letter(
            DeadLetterKind.EVENT, bad.reason, bad.payload, batch_id=batch.batch_id, position=bad.index, now=now
        )


def _record_canary(tx: Transaction, batch: BatchMessage, sent_at: datetime) -> None:
    """Store the return of a canary, unless it is none of those that the sweep has sent."""
    newest = tx.clock.read(Clock.CANARY_SENT)
    if batch.producer == WORKER and newest is not None and sent_at <= newest:
        tx.clock.advance(Clock.CANARY_ARRIVED, sent_at)
    else:
        tx.count(CounterName.DROPPED, "foreign_canary", 1)


def _judge_rest(batch: BatchMessage, folded: Fold, runtime: Runtime, *, now: datetime) -> None:
    """Judge the budget pieces of a batch after the first, each once, in a transaction of its own.

    A worker that dies between two pieces has not acknowledged the batch. The broker redelivers it, and the pieces whose
    ids are not claimed yet are judged then.
    """
    left = MAX_CROSSED
    for number, piece in enumerate(budget_pieces(folded, runtime)[1:], 1):
        # No batch from a broker has a control character in its id (`safe_id`), so none can have this one.
        own_id = f"{blake2b(batch.batch_id.encode(), digest_size=16).hexdigest()}\x1fbudgets-{number}"

        def judge(tx: Transaction, piece: BudgetPiece = piece, own_id: str = own_id, most: int = max(0, left)) -> int:
            if tx.batches.claim_batch(own_id, batch.producer, 0, digest=None, now=now) is BatchClaim.NEW:
                return judge_piece(tx, piece, folded, runtime, most=most, now=now)
            return 0

        left -= runtime.store.run(judge)
    if left < 0:
        _log.warning("a batch crosses limits of too many budgets; %d of them wait for their next report", -left)


def _detected(tx: Transaction, folded: Fold, runtime: Runtime, policy: Policy, *, now: datetime) -> list[Alert]:
    """Return the alerts that detectors find in the batch, and those of LiteLLM's own alerting.

    Very many of one type are summed up.
    """
    alerts = [alert for detect in DETECTORS.values() for alert in detect(folded, policy)]
    return sum_up(alerts + relayed_alerts(tx, folded, policy, runtime.users, now=now))


def _claim_detected(context: BatchContext) -> None:
    explained = label_cooldowns(context, label_refused(context))
    for alert in sorted(explained, key=lambda alert: alert.fingerprint):
        claimed = claim(context.tx, alert, context.runtime, now=context.now)
        keep_explanation(context.tx, claimed, alert)
        raise_severity(context, alert, claimed)


def _count_clamped(context: BatchContext) -> None:
    context.tx.count(CounterName.CLAMPED, "clock ahead", context.folded.clamped)


#: The steps after a batch is recorded, in order. Outages come first, because an open outage inhibits the alerts about
#: calls that it explains, and those calls may be in the same batch. The order is also that of the tables' locks.
STEPS: Final[tuple[Callable[[BatchContext], None], ...]] = (
    judge_credentials,
    judge_outages,
    judge_hanging,
    _claim_detected,
    judge_budgets,
    track_spend,
    _count_clamped,
)


def _park(batch: BatchMessage, reason: str, runtime: Runtime, *, now: datetime) -> None:
    """Store a whole batch as one dead letter with its bytes, once, however often the batch is delivered."""
    payload = _kept(batch)

    def work(tx: Transaction) -> None:
        match tx.batches.claim_batch(batch.batch_id, batch.producer, 0, digest=batch.digest, now=now):
            case BatchClaim.NEW:
                tx.dead_letter(DeadLetterKind.BATCH, reason, payload, batch_id=batch.batch_id, position=None, now=now)
            case BatchClaim.CONFLICT:
                _park_conflict(tx, batch, now=now)

    runtime.store.run(work)


def _park_conflict(tx: Transaction, batch: BatchMessage, *, now: datetime) -> None:
    """Park a batch whose id another batch has used: once, under an id of its own, so that it can be replayed."""
    reason = f"another batch was applied or parked under the same id, {batch.batch_id}; replay applies this one"
    # A producer can use the first of these ids for another batch, too.
    for own_id in (safe_id(f"{batch.batch_id}~{batch.digest}"), str(new_id())):
        claimed = tx.batches.claim_batch(own_id, batch.producer, 0, digest=batch.digest, now=now)
        if claimed is BatchClaim.NEW:
            tx.dead_letter(DeadLetterKind.BATCH, reason, _kept(batch), batch_id=own_id, position=None, now=now)
        if claimed is not BatchClaim.CONFLICT:
            return


def _digest(batch: BatchMessage) -> str | None:
    """Return a digest of the events' JSON, ``None`` if the batch id already stands for them.

    The same JSON may come compressed in another way: a replay compresses it, and so may a producer that sends it again.

    The HTTP endpoint derives such ids from an Idempotency-Key and the client's body. A digest would differ between two
    requests with the same body, because the endpoint gives its events a new time with every request.
    """
    if batch.producer == "http" and _HTTP_ID.fullmatch(batch.batch_id):
        return None
    content = _bytes_of(batch.events)
    if content.startswith(ZSTD):
        with suppress(CompressionError):
            content = decompress(content, MAX_BATCH_BYTES)
    return blake2b(content, digest_size=16).hexdigest()


def _kept(batch: BatchMessage) -> bytes:
    """Return the payload of a batch's dead letter: its bytes, compressed if there are many."""
    payload = _bytes_of(batch.events)
    return payload if len(payload) <= _MAX_PLAIN or payload.startswith(ZSTD) else compress(payload)


def _bytes_of(events: object) -> bytes:
    """Return the bytes of events of any type. It never raises, because parking must not fail."""
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode("utf-8", "surrogatepass")
    try:
        return to_json(events, fallback=str, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        return f"({type(events).__name__} that is not JSON)".encode()
