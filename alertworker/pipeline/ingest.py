"""Ingest: one batch, one transaction; the same batch again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import to_json

from alertworker.budgets.configured import Kept
from alertworker.detectors import DETECTORS, Policy, llm
from alertworker.errors import LineUnavailable
from alertworker.events import EndEvent, RequestAbandoned, RequestAnnounced, RequestFailed
from alertworker.events.batch import BatchError, Decoded, decode
from alertworker.folding import Fold, fold
from alertworker.pipeline.budgeting import judge_budgets
from alertworker.pipeline.claiming import claim
from alertworker.pipeline.customers import track_spend
from alertworker.pipeline.outages import judge_outages
from alertworker.pipeline.relaying import is_covered, judge_relayed
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction

#: How long batch ids are kept; an older batch cannot be told from one that was applied, so it is parked.
MAX_BATCH_AGE: Final = timedelta(days=35)
#: From when on an announcement is late: it did not come by the straight way. Publishers announce a call again that
#: still hangs.
LATE: Final = timedelta(seconds=30)
#: After how many deliveries without success a batch is parked: it keeps killing its worker.
MAX_REDELIVERIES: Final = 5


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
    runtime.store.run(lambda tx: apply(tx, batch, decoded, folded, runtime, now=now))
    wake(runtime, now=now)


def wake(runtime: Runtime, *, now: datetime) -> None:
    """Have due lanes looked at; when the broker is away the next tick does it."""
    channels = runtime.store.due_channels(now=now)
    if channels:
        try:
            runtime.line.wake(channels)
        except LineUnavailable:
            return


def fold_batch(decoded: Decoded, runtime: Runtime, *, now: datetime) -> Fold:
    """Add a batch up, by the settings."""
    return fold(decoded.events, slow_seconds=runtime.policy.threshold_seconds, zone=runtime.zone, now=now)


def apply(
    tx: Transaction, batch: BatchMessage, decoded: Decoded, folded: Fold, runtime: Runtime, *, now: datetime
) -> None:
    """Do all that a batch changes, unless it was done before."""
    if not tx.claim_batch(batch.batch_id, batch.producer, len(decoded.events), now=now):
        return
    tx.add_fold(folded, max_entities=runtime.max_entities, kept=Kept(runtime.budgets))
    tx.hear_publishers(folded.publishers.values(), now=now)
    if folded.canary_sent_at is not None:
        tx.mark_line("canary_arrived", folded.canary_sent_at)
    for bad in decoded.rejected:
        tx.dead_letter("event", bad.reason, bad.payload, batch_id=batch.batch_id, position=bad.index, now=now)
    asked = {matcher.label for silence in tx.silences(now=now) for matcher in silence.matchers}
    policy = replace(runtime.policy, group_by=runtime.router.labels | asked)
    judge_outages(tx, folded, runtime, now=now)
    _hanging(tx, folded, policy, runtime, now=now)
    alerts = [alert for detect in DETECTORS.values() for alert in detect(folded, policy)]
    covered = is_covered(tx, folded, now=now)
    alerts += judge_relayed(tx, folded, runtime.users, covered=covered, now=now)
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        claim(tx, alert, runtime, now=now)
    judge_budgets(tx, folded, runtime, now=now)
    track_spend(tx, folded, runtime, covered=covered, now=now)
    tx.count("clamped", "clock ahead", folded.clamped)


def _hanging(tx: Transaction, folded: Fold, policy: Policy, runtime: Runtime, *, now: datetime) -> None:
    """Track announced calls and raise a condition for those that were not known; ends are recorded first.

    An announcement states the call's age, so it is evidence by itself: nothing is concluded from silence.
    """
    tx.end_calls({call_id: (_outcome(event), event.ended_at) for call_id, event in folded.ended.items()})
    hanging = [call for call in folded.announced.values() if call.age_seconds >= policy.threshold_seconds]
    outdated = _outdated(tx, hanging, policy, now=now)
    tx.count("dropped", "outdated_announcement", len(outdated))
    old_enough = [call for call in hanging if call.call_id not in outdated]
    fresh = tx.announce_calls(old_enough)
    new = [call for call in old_enough if call.call_id in fresh]
    for alert, calls in sorted(llm.hanging(new, policy), key=lambda pair: pair[0].fingerprint):
        raised = claim(tx, alert, runtime, now=now)
        tx.attach_calls((call.call_id for call in calls), raised.id)


def _outdated(tx: Transaction, calls: Sequence[RequestAnnounced], policy: Policy, *, now: datetime) -> set[str]:
    """Give the ids of calls whose announcement is late and of before the last time that their condition was over.

    It waited in a spool, and how the call went on is behind it: the end, or another announcement, which counts.
    """
    late = [call for call in calls if now - call.occurred_at > LATE]
    found: set[str] = set()
    for alert, members in llm.hanging(late, policy):
        closed_at = tx.last_closed(alert.fingerprint)
        found |= {call.call_id for call in members if closed_at is not None and call.occurred_at <= closed_at}
    return found


def _outcome(event: EndEvent) -> str:
    if isinstance(event, RequestFailed):
        return "failed"
    return "abandoned" if isinstance(event, RequestAbandoned) else "finished"


def _park(batch: BatchMessage, reason: str, runtime: Runtime, *, now: datetime) -> None:
    """Put a whole batch with the dead letters, with its bytes; once, however often it comes."""
    payload = batch.events if isinstance(batch.events, bytes) else to_json(batch.events, fallback=str)

    def work(tx: Transaction) -> None:
        if tx.claim_batch(batch.batch_id, batch.producer, 0, now=now):
            tx.dead_letter("batch", reason, payload, batch_id=batch.batch_id, position=None, now=now)

    runtime.store.run(work)
