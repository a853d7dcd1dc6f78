"""Notifications, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.alerts.message import Message


class NotificationPort(Protocol):
    """Notifications, and which channels were told of what."""

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


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a notification: its status, the last answer with its reason, and the body that was sealed."""

    status: str
    reason: str | None
    answer: str | None
    body: str | None
