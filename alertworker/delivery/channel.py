"""What reaches receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alertworker.alerts.message import Message


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a receiver takes messages: one each ``interval`` seconds, after ``burst`` at once."""

    interval: float = 0.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver that took a message said, in a few words for a person.

    ``busy_for`` is for how many seconds from now it wants no more of them. ``rest`` is the body for those of several
    recipients who have not got it and may later; it is tried by itself from now on.
    """

    text: str
    busy_for: float = 0.0
    rest: str | None = None


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

    @property
    def pace(self) -> Pace:
        """How fast the vendor lets us send."""
        ...

    @property
    def digest_size(self) -> int:
        """How many waiting messages may become one; 0 for receivers that want each by itself."""
        ...

    @property
    def parallel(self) -> int:
        """How many messages may be on their way at once; they are of different alerts, so none passes its own."""
        ...

    @property
    def tracks_spend(self) -> bool:
        """Whether it wants a message for each call of a customer."""
        ...

    @property
    def keeps_open(self) -> bool:
        """Whether what a message opens stays open with the receiver until it is told the end."""
        ...

    def takes(self, message: Message, /) -> bool:
        """Tell whether this receiver wants such a message at all, wherever it is routed."""
        ...

    def render(self, message: Message) -> str:
        """Give the body to send: pure, within the vendor's limits, everything escaped.

        Raises:
            DeliveryError: there is nothing in it for this receiver, whatever is tried.
        """
        ...

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt and give the receiver's answer.

        ``notification_id`` is the same for every attempt of one notification.

        Raises:
            DeliveryError: whatever went wrong, with its closed reason.
        """
        ...
