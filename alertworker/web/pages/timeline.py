"""The history of one alert as an ordered list. The functions are pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from alertworker.alerts.catalogue import AlertKind
from alertworker.alerts.message import Message, Step, StepKey
from alertworker.delivery.status import NotificationStatus
from alertworker.ports.admin import AttemptRow, NotificationRow
from alertworker.ports.alert_search import AlertRow

_STEPS: Final[Mapping[str, str]] = {
    Step.NOTICE: "notice",
    Step.FIRING: "firing",
    Step.SUMMARY: "summary",
    Step.REMINDER: "reminder",
    Step.RESOLVED: "resolved",
    Step.FIRED_AND_RESOLVED: "fired and resolved",
    Step.DIGEST: "digest",
    Step.TRACKED: "cost of a call",
    Step.TEST: "test message",
}


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification with its attempts. ``sent_as`` is the notification that it was merged into, if any.

    ``channel`` is how people see its channel.
    """

    row: NotificationRow
    channel: str
    message: Message
    attempts: Sequence[AttemptRow]
    body: str | None
    sent_as: NotificationRow | None


class EntryClass(StrEnum):
    """The CSS class of an entry, which selects its sign."""

    BEGIN = "begin"
    NOTIFIED = "notified"
    FAILED = "failed"
    PERSON = "person"
    DEAD = "dead"
    END = "end"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of the history."""

    at: datetime
    css_class: EntryClass
    what: str
    details: tuple[str, ...] = ()


def timeline(alert: AlertRow, notified: Sequence[Notified]) -> list[TimelineEntry]:
    """Return the history of an alert, oldest entry first."""
    entries = [
        *_own(alert),
        *(entry for one in notified for entry in _settled(one)),
        *(entry for one in notified for entry in _failures(one)),
    ]
    return sorted(entries, key=lambda entry: entry.at)


def spell_step(step: str) -> str:
    """Return a notification's step ("firing:0") in plain words.

    >>> spell_step("passed:0")
    'fired and resolved'
    """
    key = StepKey.parse(step)
    if key is None:
        return step
    return _STEPS[Step.TEST if key.of_test else key.step]


def _own(alert: AlertRow) -> Iterator[TimelineEntry]:
    yield TimelineEntry(alert.first_at, EntryClass.BEGIN, "First occurrence")
    yield TimelineEntry(alert.opened_at, EntryClass.BEGIN, "Alert opened")
    if alert.count > 1:
        yield TimelineEntry(alert.last_at, EntryClass.BEGIN, f"Latest occurrence, {alert.count:,} in total")
    if alert.acked_at is not None:
        yield TimelineEntry(
            alert.acked_at, EntryClass.PERSON, f"Acknowledged by {alert.acked_by}", (alert.ack_note or "",)
        )
    if alert.closed_at is not None:
        yield TimelineEntry(
            alert.closed_at,
            EntryClass.END,
            "Resolved" if alert.kind == AlertKind.CONDITION.value else "Closed: no further occurrence",
        )


def _settled(notified: Notified) -> Iterator[TimelineEntry]:
    """Yield how a notification was settled, if it was."""
    row = notified.row
    if row.settled_at is None:
        return
    step = spell_step(row.step)
    details = (notified.message.headline, row.answer or "")
    if row.status == NotificationStatus.SENT:
        yield TimelineEntry(row.settled_at, EntryClass.NOTIFIED, f"Notified {notified.channel}: {step}", details)
    elif row.status == NotificationStatus.DEAD:
        yield TimelineEntry(
            row.settled_at, EntryClass.DEAD, f"Could not notify {notified.channel}: {step}; not retried", details
        )
    elif row.status == NotificationStatus.MERGED:
        yield TimelineEntry(
            row.settled_at, EntryClass.NOTIFIED, f"Notified {notified.channel} in a merged message: {step}", details[:1]
        )
    else:
        yield TimelineEntry(
            row.settled_at, EntryClass.DEAD, f"Did not notify {notified.channel}: {step}", (row.reason or "",)
        )


def _failures(notified: Notified) -> Iterator[TimelineEntry]:
    """Yield the failed attempts. The last attempt of a dead notification is its settlement, which `_settled` yields."""
    failed = [attempt for attempt in notified.attempts if attempt.outcome != NotificationStatus.SENT]
    for attempt in failed[:-1] if notified.row.status == NotificationStatus.DEAD else failed:
        what = f"Attempt to notify {notified.channel} failed: {attempt.outcome}"
        yield TimelineEntry(attempt.at, EntryClass.FAILED, what, (attempt.answer,))
