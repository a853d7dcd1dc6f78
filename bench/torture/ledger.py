"""The results of a scenario: the messages of each side, as counts and as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.acceptance.receiver import Post

_SQUASHED: Final = re.compile(r"\[Num Alerts: (\d+)\]")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The counts of one side.

    ``raised`` is the number of expected alerts, ``delivered`` the number of them that arrived, and ``duplicated`` the
    number that arrived again. ``false`` counts messages about something that did not happen, or with forbidden content.
    ``messages`` is the number of messages sent.
    """

    raised: int
    delivered: int
    duplicated: int = 0
    false: int = 0
    messages: int = 0

    @property
    def lost(self) -> int:
        """The number of expected alerts that did not arrive."""
        return self.raised - self.delivered

    @property
    def clean(self) -> bool:
        """Return whether every expected alert arrived once, and no other."""
        return not (self.lost or self.duplicated or self.false)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a row: its counts and a comment."""

    ledger: Ledger
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of one scenario."""

    litellm: Side
    alertworker: Side


def counted(posts: Iterable[Post]) -> int:
    """Return how many occurrences the messages report, in our form or LiteLLM's."""
    found = [(_SQUASHED.match(post.text), post) for post in posts]
    return sum(int(squashed[1]) if squashed else post.count for squashed, post in found)


def occurrences(raised: int, posts: list[Post]) -> Side:
    """Return the result of one side in a scenario where each of ``raised`` occurrences must be reported once."""
    reported = counted(posts)
    ledger = Ledger(raised, min(raised, reported), duplicated=max(0, reported - raised), messages=len(posts))
    return Side(ledger, f"{reported} of {raised} reported, in {plural(len(posts), 'message')}")


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
