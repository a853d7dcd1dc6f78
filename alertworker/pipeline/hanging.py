"""Calls that hang: announcements and ends of a batch, and the conditions they raise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from alertworker.detectors import Policy, llm
from alertworker.events import EndEvent, RequestAbandoned, RequestAnnounced, RequestFailed
from alertworker.folding import Fold
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.alerts import AlertPort

#: From when on an announcement is late: it did not come by the straight way. Publishers announce a call again that
#: still hangs.
LATE: Final = timedelta(seconds=30)


def judge_hanging(tx: Transaction, folded: Fold, policy: Policy, runtime: Runtime, *, now: datetime) -> None:
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


def _outdated(tx: AlertPort, calls: Sequence[RequestAnnounced], policy: Policy, *, now: datetime) -> set[str]:
    """Return the ids of calls that were announced late, and before their condition was last closed.

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
