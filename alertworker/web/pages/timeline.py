"""An alert's history as one list of moments: pure, from its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alertworker.alerts.message import Message, Step, StepKey
from alertworker.delivery.status import NotificationStatus
from alertworker.ports.admin import AttemptRow, NotificationRow
from alertworker.ports.alert_search import AlertRow

_STEPS: Final[Mapping[str, str]] = {
    Step.NOTICE: "told of it",
    Step.FIRING: "told that it fires",
    Step.SUMMARY: "told how often it happened since",
    Step.REMINDER: "reminded that it still fires",
    Step.RESOLVED: "told that it is over",
    Step.FIRED_AND_RESOLVED: "told that it came and went",
    Step.DIGEST: "told with others",
    Step.TRACKED: "told what a call cost",
    Step.TEST: "tested",
}


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification with its attempts; ``sent_as`` is the notification that it was merged into."""

    row: NotificationRow
    message: Message
    attempts: Sequence[AttemptRow]
    body: str | None
    sent_as: NotificationRow | None


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: ``sign`` is "begin", "told", "failed", "person", "dead" or "end"."""

    at: datetime
    sign: str
    what: str
    details: tuple[str, ...] = ()


def timeline(alert: AlertRow, notified: Sequence[Notified]) -> list[Moment]:
    """Return what happened to an alert, in order."""
    moments = [
        *_own(alert),
        *(moment for one in notified for moment in _settled(one)),
        *(moment for one in notified for moment in _failures(one)),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def spell_step(step: str) -> str:
    """Return a notification's step ("firing:0") in words for people.

    >>> spell_step("firing:0")
    'told that it fires'
    """
    key = StepKey.parse(step)
    if key is None:
        return step
    return _STEPS[Step.TEST if key.of_test else key.step]


def _own(alert: AlertRow) -> Iterator[Moment]:
    yield Moment(alert.first_at, "begin", "Happened for the first time")
    yield Moment(alert.opened_at, "begin", "Alert opened")
    if alert.count > 1:
        yield Moment(alert.last_at, "begin", f"Happened for the last time so far, {alert.count:,} times in all")
    if alert.acked_at is not None:
        yield Moment(alert.acked_at, "person", f"Acknowledged by {alert.acked_by}", (alert.ack_note or "",))
    if alert.closed_at is not None:
        yield Moment(
            alert.closed_at, "end", "Over" if alert.kind == "condition" else "Over: nothing more happened since"
        )


def _settled(notified: Notified) -> Iterator[Moment]:
    """Yield how a notification ended; nothing while it is pending."""
    row = notified.row
    if row.settled_at is None:
        return
    step = spell_step(row.step)
    said = (notified.message.headline, row.answer or "")
    if row.status == NotificationStatus.SENT:
        yield Moment(row.settled_at, "told", f"{row.channel} {step}", said)
    elif row.status == NotificationStatus.DEAD:
        yield Moment(row.settled_at, "dead", f"{row.channel} could not be {step}: nobody tries again", said)
    elif row.status == NotificationStatus.MERGED:
        yield Moment(row.settled_at, "told", f"{row.channel} {step} within one message with others", said[:1])
    else:
        yield Moment(row.settled_at, "dead", f"{row.channel} was not {step}", (row.reason or "",))


def _failures(notified: Notified) -> Iterator[Moment]:
    """Yield the attempts that failed, without the last one of a dead notification, which `_settled` yields."""
    failed = [attempt for attempt in notified.attempts if attempt.outcome != NotificationStatus.SENT]
    for attempt in failed[:-1] if notified.row.status == NotificationStatus.DEAD else failed:
        what = f"{notified.row.channel} did not take it ({attempt.outcome})"
        yield Moment(attempt.at, "failed", what, (attempt.answer,))
