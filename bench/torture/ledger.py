"""What a row says: what each side told, as counts and in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.acceptance.receiver import Post

_SQUASHED: Final = re.compile(r"\[Num Alerts: (\d+)\]")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one side.

    ``raised`` is what ought to be told, ``delivered`` what of it was; ``duplicated`` was told once more; ``false`` are
    messages about what did not happen, or with what no message may hold; ``messages`` is how many were sent for it.
    """

    raised: int
    delivered: int
    duplicated: int = 0
    false: int = 0
    messages: int = 0

    @property
    def lost(self) -> int:
        """What ought to be told and was not."""
        return self.raised - self.delivered

    @property
    def clean(self) -> bool:
        """Tell whether everything was told once, and nothing else."""
        return not (self.lost or self.duplicated or self.false)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a row: its books, and what there is to say beside them."""

    ledger: Ledger
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of one scenario."""

    litellm: Side
    alertworker: Side


def counted(posts: Iterable[Post]) -> int:
    """Give how many occurrences messages count, in our words or LiteLLM's."""
    found = [(_SQUASHED.match(post.text), post) for post in posts]
    return sum(int(squashed[1]) if squashed else post.count for squashed, post in found)


def occurrences(raised: int, posts: list[Post]) -> Side:
    """Give the side of a scenario in which so many occurrences each had to be told once."""
    told = counted(posts)
    ledger = Ledger(raised, min(raised, told), duplicated=max(0, told - raised), messages=len(posts))
    return Side(ledger, f"{told} of {raised} told, in {plural(len(posts), 'message')}")


def plural(count: int, word: str) -> str:
    """Spell a count."""
    return f"{count} {word}{'' if count == 1 else 's'}"
