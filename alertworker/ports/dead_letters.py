"""Dead letters: events, batches, messages and notifications that are not retried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.delivery.dead_letters import DeadLetterKind


class DeadLetterPort(Protocol):
    """Writes dead letters."""

    def dead_letter(
        self,
        kind: DeadLetterKind,
        reason: str,
        payload: bytes,
        *,
        batch_id: str | None,
        position: int | None,
        now: datetime,
    ) -> None:
        """Write a dead letter."""
        ...

    def dead_message(self, letter_id: str, reason: str, payload: bytes, *, message_id: str, now: datetime) -> None:
        """Write the dead letter of a message that cannot be read, unless it exists."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter with its reason and its payload.

    ``kind`` is one of `DeadLetterKind`, or a newer version's. ``batch_id`` is the id of the batch it came in, or of the
    message or the notification. ``position`` is an event's place in the batch. ``type`` is the event's or the alert's,
    ``channel`` the notification's.
    """

    id: str
    kind: str
    reason: str
    batch_id: str | None
    position: int | None
    type: str | None
    channel: str | None
    payload: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """One dead letter of a list, without its payload. ``bytes`` is the size of the payload."""

    id: str
    kind: str
    reason: str
    batch_id: str | None
    position: int | None
    type: str | None
    channel: str | None
    created_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """The dead letters that pass every condition that is set. ``reason`` is the beginning of their reason."""

    kind: DeadLetterKind | None = None
    reason: str | None = None
    channel: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Return whether any condition is set."""
        return self != LetterFilter()


class Letters(Protocol):
    """Dead letters, as a replay needs them."""

    def find(self, letter_id: str) -> DeadLetter | None:
        """Return one dead letter, ``None`` if there is none with this id."""
        ...

    def requeue(self, letter: DeadLetter, *, now: datetime) -> bool:
        """Put a dead notification back into its lane, with a new deadline, and delete the letter.

        Return false if the notification is gone.
        """
        ...

    def release_batch(self, batch_id: str) -> None:
        """Release the id of a parked batch, so that the batch can be applied; an applied batch keeps its id."""
        ...

    def discard(self, letter_id: str) -> bool:
        """Delete a dead letter; return false if there is none with this id."""
        ...

    def discard_resent(self, letter: DeadLetter) -> None:
        """Delete the letter of a message that was sent again, unless the message was parked again since."""
        ...
