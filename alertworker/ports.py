"""What the core needs from outside, as Protocols; `app` names the classes that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from alertworker.events.base import Event
from alertworker.messages import Message


class Channel(Protocol):
    """One way to reach one receiver. ``name`` is what rows, logs and pages carry; it never contains the address."""

    @property
    def name(self) -> str:
        """A stable name: the same after a restart with the same configuration."""
        ...

    @property
    def kind(self) -> str:
        """The vendor: "slack", "console"."""
        ...

    def render(self, message: Message) -> str:
        """Give the body to send: pure, within the vendor's limits, everything escaped."""
        ...

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt and give the receiver's answer in a few words, for a person.

        ``notification_id`` is the same for every attempt of one notification.

        Raises:
            DeliveryError: whatever went wrong, with its closed reason.
        """
        ...


class Line(Protocol):
    """The broker, as the core sees it: it carries and wakes, it never decides."""

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would.

        Raises:
            LineUnavailable: when the broker cannot be reached; nothing was promised.
        """
        ...

    def wake(self, channels: Sequence[str]) -> None:
        """Have the lanes of these channels looked at soon; a lost wake is made up for by the next tick."""
        ...


class UnitOfWork(AbstractContextManager["UnitOfWork"], Protocol):
    """One SQL transaction."""
