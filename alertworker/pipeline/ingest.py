"""Ingest: apply a batch, or a few of them together, in one transaction. A redelivered batch changes nothing.

Budgets beyond the first piece are the exception: each piece has a transaction of its own (`_judge_rest`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.many import MOST, sum_up
from alertworker.budgets.configured import CapExemptions
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.detectors import DETECTORS, Policy, admin
from alertworker.events import CallEvent, Canary, Event
from alertworker.events.batch import WORKER, BatchError, decode
from alertworker.folding import Fold, fold
from alertworker.pipeline.batches import BatchContext, BatchMessage, DecodedBatch, NotTogether
from alertworker.pipeline.budgets import MAX_CROSSED, BudgetPiece, budget_pieces, judge_budgets, judge_piece
from alertworker.pipeline.callers import label_cooldowns
from alertworker.pipeline.credentials import judge_credentials, label_refused
from alertworker.pipeline.dead_letters import digest_of, park_batch, park_conflict
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

_log: Final = logging.getLogger(__name__)
#: How long batch ids are kept. An older batch may have been applied before, so it is parked.
MAX_BATCH_AGE: Final = timedelta(days=35)
#: The maximum number of bytes of rejected events that a batch may add to the database. It is 1 MiB, or 16 for each byte
#: of its message if that is more.
MAX_REJECTED_BYTES: Final = 1024 * 1024
REJECTED_PER_BYTE: Final = 16
#: How many budgets one batch may report. They are judged in pieces, which raise a bounded number of alerts.
MAX_READINGS: Final = 20_000
#: How many rows of windows one batch may change. 5,000 calls that failed on 16 deployments of 16 regions each have
#: fewer. A row takes 20 to 40 µs.
MAX_ROWS: Final = 200_000
#: How many counts of dropped events a batch may have: 5,000 publishers with all reasons.
MAX_DROPS: Final = 40_000
#: How many rows of the ledger one batch may change: 5,000 calls that share nothing, each with eight tags.
MAX_LEDGER_ROWS: Final = 100_000
#: How many events a transaction of several batches may have: half of what a single batch may have.
MAX_TOGETHER: Final = 2_500


def ingest(batch: BatchMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply a batch once, however often it is delivered.

    Raises:
        StoreUnavailable: the database is unreachable; the batch must stay with the broker.
    """
    batch = replace(batch, digest=digest_of(batch))
    try:
        decoded = _decode(batch, now=now)
        folded = fold_events(decoded.events, runtime, now=now)
        _bound(folded)
        applied = runtime.store.run(lambda tx: apply(tx, [decoded], folded, runtime, now=now))
    except BatchError as error:
        park_batch(batch, str(error), runtime, now=now)
        return
    if applied:
        _judge_rest(batch, folded, runtime, now=now)
    wake(runtime, now=now)


def ingest_together(batches: Sequence[BatchMessage], runtime: Runtime, *, now: datetime) -> bool:
    """Apply several batches in one transaction, as one batch with the events of all.

    The bounds of a batch hold for their sum. Return false if each batch must be applied alone. Nothing is changed then.

    Raises:
        StoreUnavailable: the database is unreachable; the batches must stay with the broker.
    """
    decoded: list[DecodedBatch] = []
    try:
        for batch in batches:
            decoded.append(_decode(replace(batch, digest=digest_of(batch)), now=now))
            if sum(len(one.events) for one in decoded) > MAX_TOGETHER:
                return False
        folded = fold_events([event for one in decoded for event in one.events], runtime, now=now)
        _bound(folded)
        if len(budget_pieces(folded, runtime)) > 1:
            return False
        runtime.store.run(lambda tx: apply(tx, decoded, folded, runtime, now=now))
    except (BatchError, NotTogether):
        return False
    wake(runtime, now=now)
    return True


def _decode(batch: BatchMessage, *, now: datetime) -> DecodedBatch:
    """Read a batch.

    Raises:
        BatchError: the batch is too old, or cannot be read.
    """
    if batch.sealed_at is not None and batch.sealed_at < now - MAX_BATCH_AGE:
        raise BatchError(f"sealed more than {MAX_BATCH_AGE.days} days ago")
    rejected = max(MAX_REJECTED_BYTES, REJECTED_PER_BYTE * batch.size)
    decoded = decode(batch.events, batch.encoding, most_rejected=rejected)
    return DecodedBatch(batch, decoded.events, decoded.rejected)


def fold_events(events: Iterable[Event], runtime: Runtime, *, now: datetime) -> Fold:
    """Fold events with the runtime's settings."""
    receivers = runtime.router.selectable
    chosen = [event.choosing(receivers) if isinstance(event, CallEvent) else event for event in events]
    return fold(chosen, slow_seconds=runtime.policy.threshold_seconds, zone=runtime.zone, now=now)


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


def apply(tx: Transaction, batches: Sequence[DecodedBatch], folded: Fold, runtime: Runtime, *, now: datetime) -> bool:
    """Make every change that batches cause. ``folded`` has the events of all.

    A single batch that was applied before changes nothing. Only the first piece of its budgets is judged here. Return
    false if it is parked because another batch has its id.

    Raises:
        BatchError: more targets than `MAX_OUTAGES` have an outage (`judge_outages`).
        NotTogether: the batches are several, and each must be applied alone.
    """
    for one in batches:
        claim_of_id = _claim_id(tx, one, now=now)
        if claim_of_id is not BatchClaim.NEW and len(batches) > 1:
            raise NotTogether
        if claim_of_id is BatchClaim.CONFLICT:
            park_conflict(tx, one.message, now=now)
            return False
        if claim_of_id is BatchClaim.REPEATED:
            return True
    _record(tx, batches, folded, runtime, now=now)
    # A transaction reads silences once: after the wait for the ledger's locks, so that they are not outdated.
    asked = {matcher.label for silence in tx.silences.current(now=now) for matcher in silence.matchers}
    names = tx.aliases.newest_names(admin.entities([*folded.changed, *folded.changed_relayed]))
    policy = replace(runtime.policy, group_by=runtime.router.labels | asked, names=names)
    detected = _detected(tx, folded, runtime, policy, now=now, alone=len(batches) == 1)
    context = BatchContext(tx, folded, runtime, policy, now, RefusedCredentials(tx), detected)
    for step in STEPS:
        step(context)
    return True


def _claim_id(tx: Transaction, batch: DecodedBatch, *, now: datetime) -> BatchClaim:
    given = batch.message
    return tx.batches.claim_batch(given.batch_id, given.producer, len(batch.events), digest=given.digest, now=now)


def _record(tx: Transaction, batches: Sequence[DecodedBatch], folded: Fold, runtime: Runtime, *, now: datetime) -> None:
    """Add batches to the ledger and the windows. Store their heartbeats, canaries and rejected events."""
    exempt = CapExemptions(runtime.budgets)
    tx.ledger.add(folded.ledger, max_entities=runtime.max_entities, exempt=exempt)
    tx.outages.add_sums(folded.outages)
    tx.ledger.add_drops(folded.drops)
    tx.publishers.update_publishers(folded.publishers.values(), now=now)
    for one in batches if folded.canary_sent_at is not None else ():
        canaries = fold_events((event for event in one.events if isinstance(event, Canary)), runtime, now=now)
        if canaries.canary_sent_at is not None:
            _record_canary(tx, one.message, canaries.canary_sent_at)
    for one in batches:
        for bad in one.rejected:
            own_id = one.message.batch_id
            tx.dead_letter(DeadLetterKind.EVENT, bad.reason, bad.payload, batch_id=own_id, position=bad.index, now=now)


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
        text = "a batch crosses limits of too many budgets; %d of them wait for their next report"
        _log.warning(text, -left, extra=batch.log_ids)


def _detected(
    tx: Transaction, folded: Fold, runtime: Runtime, policy: Policy, *, now: datetime, alone: bool
) -> list[Alert]:
    """Return the alerts that detectors find in the batch, and those of LiteLLM's own alerting.

    Very many of one type are summed up, but only within one batch that is applied alone.

    Raises:
        NotTogether: several batches have so many alerts that some would be summed up.
    """
    alerts = [alert for detect in DETECTORS.values() for alert in detect(folded, policy)]
    alerts += relayed_alerts(tx, folded, policy, runtime.users, now=now)
    if len(alerts) > MOST and not alone:
        raise NotTogether
    return sum_up(alerts)


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
