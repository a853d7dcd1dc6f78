"""The broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alertworker.events import Event


class Broker(Protocol):
    """The broker, as the core sees it: it carries messages and decides nothing."""

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would.

        Raises:
            BrokerUnavailable: The broker cannot be reached; the events may be lost.
        """
        ...

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Send a batch's events as they are, under this id.

        Raises:
            BrokerUnavailable: The broker cannot be reached.
        """
        ...

    def resend_message(self, message_id: str, body: bytes) -> None:
        """Send a message's body as it is to the queue of batches, under this id.

        Raises:
            BrokerUnavailable: The broker cannot be reached. The message may have arrived.
        """
        ...

    def wake(self, channels: Sequence[str]) -> None:
        """Ask workers to serve the lanes of these channels; the next tick replaces a wake that is lost."""
        ...
