"""Whose turn comes first in a lane, and what follows from a message for another one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from alertworker.alerts.message import StepKey

#: A lane serves the lowest turn first, and the oldest of one turn. A test does not wait behind other messages: a person
#: waits for the receiver's answer.
URGENT_TURN: Final = 0
USUAL_TURN: Final = 1
#: The remainder of a message that some recipients have: after every message that nobody has.
PARTIAL_TURN: Final = 2
#: How long to wait before the first attempt on a remainder: a mailbox that takes nothing now takes nothing in a second.
REMAINDER_AFTER: Final = timedelta(minutes=1)


def turn_of(key: StepKey) -> int:
    """Return the turn of a new notification."""
    return URGENT_TURN if key.of_test else USUAL_TURN


def spell_dead_letter(reason: str, channel: str, answer: str) -> str:
    """Return why a notification is a dead letter, as people read and filter it.

    >>> spell_dead_letter("gone", "slack-ops", "answered 404")
    'gone: slack-ops answered 404'
    """
    return f"{reason}: {channel} {answer}"
