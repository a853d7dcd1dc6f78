"""Hanging calls: record a batch's announcements and ends, and raise their conditions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.many import sum_up_pairs
from alertworker.detectors import Policy, llm
from alertworker.events import EndEvent, RequestAbandoned, RequestAnnounced, RequestFailed
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.notify import claim
from alertworker.ports.alerts import AlertPort
from alertworker.ports.batches import CounterName
from alertworker.ports.hanging import CallOutcome

#: An announcement that is older than this is late: it probably waited in a spool. Publishers repeat the announcement
#: of a call that still hangs.
LATE: Final = timedelta(seconds=30)


def judge_hanging(context: BatchContext) -> None:
    """Record ends of announced calls, store new announcements, and claim their conditions.

    An announcement states the call's age, so it proves by itself that the call hangs. If the calls of very many models
    hang, one condition holds the calls of those that have the fewest, and ends with the last of them.
    """
    tx, folded, policy, now = context.tx, context.folded, context.policy, context.now
    tx.hanging.end_calls({call_id: (_outcome(event), event.ended_at) for call_id, event in folded.ended.items()})
    hanging = _hanging(context)
    outdated = _outdated(tx.alerts, hanging, policy, now=now)
    tx.count(CounterName.DROPPED, "outdated_announcement", len(outdated))
    old_enough = [call for call in hanging if call.call_id not in outdated]
    fresh = tx.hanging.announce_calls(old_enough)
    new = [call for call in old_enough if call.call_id in fresh]
    pairs = sum_up_pairs(llm.hanging(new, policy), lambda count: f"Requests are hanging on {count:,} more models")
    for alert, calls in sorted(pairs, key=lambda pair: pair[0].fingerprint):
        raised = claim(tx, alert, context.runtime, now=now)
        tx.hanging.attach_calls((call.call_id for call in calls), raised.id)


def _hanging(context: BatchContext) -> list[RequestAnnounced]:
    calls = context.folded.announced.values()
    return [call for call in calls if call.age_seconds >= context.policy.threshold_seconds]


def _outdated(alerts: AlertPort, calls: Sequence[RequestAnnounced], policy: Policy, *, now: datetime) -> set[str]:
    """Return the ids of calls that were announced late and before their condition was last closed.

    An announcement that is so late waited in a spool. The call's end or a newer announcement follows it.
    """
    late = [call for call in calls if now - call.occurred_at > LATE]
    found: set[str] = set()
    for alert, members in llm.hanging(late, policy):
        closed_at = alerts.last_closed(alert.fingerprint)
        found |= {call.call_id for call in members if closed_at is not None and call.occurred_at <= closed_at}
    return found


def _outcome(event: EndEvent) -> CallOutcome:
    if isinstance(event, RequestFailed):
        return CallOutcome.FAILED
    return CallOutcome.ABANDONED if isinstance(event, RequestAbandoned) else CallOutcome.FINISHED
