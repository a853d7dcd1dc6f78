"""The interface of a channel: how one receiver is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alertworker.alerts.message import Message


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a receiver takes messages: ``burst`` at once, then one every ``interval`` seconds."""

    interval: float = 0.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a receiver that took a message, in a few words for a person.

    ``busy_for`` is for how many seconds from now it wants no more of them. ``remainder`` is the body for those of
    several recipients who have not got it and may get it later; it is attempted separately from now on.
    """

    text: str
    busy_for: float = 0.0
    remainder: str | None = None


class Channel(Protocol):
    """One way to reach one receiver. Rows, logs and pages show ``name``; it never contains the address."""

    @property
    def name(self) -> str:
        """A stable name: the same after a restart with the same configuration."""
        ...

    @property
    def kind(self) -> str:
        """The vendor: "slack", "console"."""
        ...

    @property
    def pace(self) -> Pace:
        """The pace that the vendor allows."""
        ...

    @property
    def digest_size(self) -> int:
        """How many waiting messages may become one; 0 for receivers that want each separately."""
        ...

    @property
    def parallel(self) -> int:
        """How many messages may be on their way at once; they are of different alerts, so each alert stays in order."""
        ...

    @property
    def tracks_spend(self) -> bool:
        """Whether it takes a message for each call of a customer."""
        ...

    @property
    def keeps_open(self) -> bool:
        """Whether a message opens something with the receiver that stays open until the end is sent."""
        ...

    def takes(self, message: Message, /) -> bool:
        """Return whether this receiver takes such a message at all, wherever it is routed."""
        ...

    def render(self, message: Message) -> str:
        """Return the body to send: pure, within the vendor's limits, everything escaped.

        Raises:
            DeliveryError: the message has nothing for this receiver, and never will.
        """
        ...

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt and return the receiver's answer.

        ``notification_id`` is the same for every attempt of one notification.

        Raises:
            DeliveryError: the attempt failed, with its closed reason.
        """
        ...
