"""Turns: the order of notifications in a lane."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from alertworker.alerts.message import StepKey

#: A lane serves the lowest turn first, and the oldest of one turn. A test does not wait behind other messages: a person
#: waits for the receiver's answer.
URGENT_TURN: Final = 0
USUAL_TURN: Final = 1
#: A remainder comes after every message that no recipient has.
PARTIAL_TURN: Final = 2
#: How long to wait before the first attempt on a remainder: a mailbox that refuses now also refuses a second later.
REMAINDER_AFTER: Final = timedelta(minutes=1)


def turn_of(key: StepKey) -> int:
    """Return the turn of a new notification."""
    return URGENT_TURN if key.of_test else USUAL_TURN


def spell_dead_letter(reason: str, answer: str) -> str:
    """Return the reason of a notification's dead letter, without the channel, which is a field of its own.

    >>> spell_dead_letter("gone", "answered 404")
    'gone: answered 404'
    """
    return f"{reason}: {answer}"
