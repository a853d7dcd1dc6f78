"""The interface of channels, which reach receivers."""

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
    """The answer of a receiver that accepted a message, in a few words for people.

    ``busy_for`` is the number of seconds for which the receiver wants no more messages. ``remainder`` is the body for
    those of several recipients that may accept it later. It is sent by itself from now on.
    """

    text: str
    busy_for: float = 0.0
    remainder: str | None = None


class Channel(Protocol):
    """One way to reach one receiver. Rows, logs and pages carry its ``name``, which never contains the URL."""

    @property
    def name(self) -> str:
        """A stable name: the same after a restart with the same configuration."""
        ...

    @property
    def kind(self) -> str:
        """The kind, for example "slack" or "console"."""
        ...

    @property
    def litellm_service(self) -> str | None:
        """LiteLLM's name for a service that may be a channel of this kind, where it differs from the kind."""
        ...

    @property
    def pace(self) -> Pace:
        """The pace that the vendor allows."""
        ...

    @property
    def digest_size(self) -> int:
        """How many waiting messages may become one. 0 means that each message is sent by itself."""
        ...

    @property
    def parallel(self) -> int:
        """How many messages may be sent at once. They are of different alerts, so an alert's own keep their order."""
        ...

    @property
    def tracks_spend(self) -> bool:
        """Whether the receiver wants a message for each call of a customer."""
        ...

    @property
    def keeps_open(self) -> bool:
        """Whether a message opens something at the receiver, which stays open until a message resolves it."""
        ...

    def takes(self, message: Message, /) -> bool:
        """Return whether this receiver wants such a message at all, wherever it is routed."""
        ...

    def render(self, message: Message) -> str:
        """Return the body to send: pure, within the vendor's limits, with every string escaped.

        Raises:
            DeliveryError: the message has no content for this receiver.
        """
        ...

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt and return the receiver's answer.

        ``notification_id`` is the same for every attempt of one notification.

        Raises:
            DeliveryError: the attempt failed, with a reason of a closed set.
        """
        ...
