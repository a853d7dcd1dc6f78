"""Notifications, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.alerts.message import Message, StepKey


class NotificationPort(Protocol):
    """Notifications, and which channels were notified."""

    def count_waiting(self, channel: str) -> int:
        """Return how many messages wait for a channel."""
        ...

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Record that a channel is announced as broken. Return false if it was announced before."""
        ...

    def broken_channels(self) -> list[str]:
        """Return the channels that are announced as broken."""
        ...

    def mark_recovered(self, channel: str) -> bool:
        """Record that a channel works again. Return false if it was not announced as broken."""
        ...

    def notified_channels(self, alert_id: str, *, shadow: bool) -> tuple[str, ...]:
        """Return the channels that were, or will be, notified of an alert.

        Messages suppressed by ``shadow`` count only while it is on.
        """
        ...

    def enqueue(self, message: Message, key: StepKey, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification for each channel. An existing one is not changed.

        Its time is later than that of all earlier notifications of the alert, even if the clock was set back, because
        the time is their order.
        """
        ...

    def enqueue_tracked(self, messages: Sequence[tuple[Message, Sequence[str]]], *, now: datetime) -> None:
        """Write notifications that belong to no alert, each message to its channels.

        They are deleted after they are sent.
        """
        ...

    def delivery_results(self, alert_ids: Sequence[str], key: StepKey) -> dict[str, DeliveryResult]:
        """Return the result of the notification with this key, for each of these ids that has one."""
        ...

    def end_channel_tests(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, DeliveryResult]:
        """Drop the unsettled tests, and the resolving messages of tests that the receiver refused. Return the results.

        After a timeout or a server error the receiver may have an open incident, so the resolving message is kept.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a notification: its status, the last answer with its reason, and the sealed body.

    ``status`` is a `NotificationStatus`, or a status of a newer version.
    """

    status: str
    reason: str | None
    answer: str | None
    body: str | None
