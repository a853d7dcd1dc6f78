"""Alerts and their messages, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.message import Message
from alertworker.alerts.tables import Attachment
from alertworker.routing.inhibitions import OpenCondition
from alertworker.routing.silences import Silence


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a notification: its status, the last answer with its reason, and the body that was sealed."""

    status: str
    reason: str | None
    answer: str | None
    body: str | None


class AlertPort(Protocol):
    """Alerts, what mutes them, and what is told of them."""

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands."""
        ...

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Keep occurrences by name; ``total`` is the alert's count after they were added."""
        ...

    def members_since(self, alert_id: str, told: int, limit: int) -> tuple[str, ...]:
        """Give the first members that no message has named yet."""
        ...

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to how an alert's occurrences divide."""
        ...

    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        """Keep the files that go with an alert's messages."""
        ...

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Give how the occurrences divide that no message has divided yet, and count them as told."""
        ...

    def mute(self, alert_id: str, muted_by: str, *, look_again_at: datetime) -> None:
        """Record what mutes a condition of which nobody was told; `told` ends it."""
        ...

    def owe(self, alert_id: str, channels: Sequence[str]) -> None:
        """Record which channels are still to be told of an open condition, since they are mute at this hour."""
        ...

    def owing_alerts(self) -> list[OpenAlert]:
        """Give the open conditions that some were told of, and channels that are owed are not; locked."""
        ...

    def withhold(self, alert_id: str, reason: str) -> None:
        """Record why a message reached nobody."""
        ...

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set when to remind of an open condition, unless it was acknowledged."""
        ...

    def silences(self, *, now: datetime) -> list[Silence]:
        """Give the silences that are in force."""
        ...

    def open_conditions(self) -> list[OpenCondition]:
        """Give the open conditions, which may mute others."""
        ...

    def was_raised(self, fingerprint: str) -> bool:
        """Tell whether an alert was ever raised, open or closed."""
        ...

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Give the open generation of an alert, locked."""
        ...

    def last_closed(self, fingerprint: str) -> datetime | None:
        """Give when the newest generation that is over was closed; ``None`` where none is."""
        ...

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Note that a channel's trouble is announced; false when it was before."""
        ...

    def mark_well(self, channel: str) -> bool:
        """Note that a channel's trouble is over; false when none was announced."""
        ...

    def told_channels(self, alert_id: str, *, shadow: bool) -> tuple[str, ...]:
        """Name the channels that were, or will be, told of an alert.

        What was only told in shadow counts while everything is in ``shadow``.
        """
        ...

    def notify(self, message: Message, step: str, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification per channel; one that is there already stays as it is."""
        ...

    def track(self, told: Sequence[tuple[Message, Sequence[str]]], *, now: datetime) -> None:
        """Write notifications that belong to no alert, each message to its channels; they are forgotten when sent."""
        ...

    def fates(self, alert_ids: Sequence[str], step: str) -> dict[str, Fate]:
        """Give what became of the notification of one step that each of these ids has, where it has one."""
        ...

    def end_channel_tests(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, Fate]:
        """Drop those of these tests that are not settled yet, and ends of what never began.

        Gives what became of each test.
        """
        ...

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        """Record up to which count the alert was told, and when to look at it again."""
        ...

    def close(self, alert_id: str, *, count: int, now: datetime) -> None:
        """Close the alert, told up to this count."""
        ...

    def due_alerts(self, *, now: datetime) -> list[OpenAlert]:
        """Give open alerts that are due (summary, reminder, muted), and hanging ones that are over; locked."""
        ...
