"""Notifications, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.alerts.message import Message, StepKey


class NotificationPort(Protocol):
    """Notifications, and which channels were notified of what."""

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Record that a channel is announced as broken; false if it was before."""
        ...

    def mark_well(self, channel: str) -> bool:
        """Record that a channel works again; false if it was not announced as broken."""
        ...

    def notified_channels(self, alert_id: str, *, shadow: bool) -> tuple[str, ...]:
        """Return the channels that were, or will be, notified of an alert.

        Messages that ``shadow`` kept back count only while it is on.
        """
        ...

    def enqueue(self, message: Message, key: StepKey, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification for each channel; one that is there already stays as it is."""
        ...

    def enqueue_tracked(self, messages: Sequence[tuple[Message, Sequence[str]]], *, now: datetime) -> None:
        """Write notifications that belong to no alert, each message to its channels; they are deleted when sent."""
        ...

    def delivery_results(self, alert_ids: Sequence[str], key: StepKey) -> dict[str, DeliveryResult]:
        """Return what became of the notification with this key, for each of these ids that has one."""
        ...

    def end_channel_tests(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, DeliveryResult]:
        """Drop those of these tests that are not settled yet, and the ends of tests that the receiver refused.

        Return what became of each test.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of a notification: its status, the last answer with its reason, and the body that was sealed.

    ``status`` is a `NotificationStatus`, or one that only a newer version knows.
    """

    status: str
    reason: str | None
    answer: str | None
    body: str | None
