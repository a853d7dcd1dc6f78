"""The broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alertworker.events import Event


class Broker(Protocol):
    """The broker, as the core sees it: it carries and wakes, it never decides."""

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would.

        Raises:
            LineUnavailable: when the broker cannot be reached; nothing was promised.
        """
        ...

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Send a batch's events as they are, under this id.

        Raises:
            LineUnavailable: when the broker cannot be reached.
        """
        ...

    def resend_message(self, message_id: str, body: bytes) -> None:
        """Send a message's body as it is to the queue of batches, under this id.

        Raises:
            LineUnavailable: when the broker cannot be reached.
        """
        ...

    def wake(self, channels: Sequence[str]) -> None:
        """Have the lanes of these channels looked at soon; a lost wake is made up for by the next tick."""
        ...
