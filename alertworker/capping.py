"""How many values of a dimension the ledger keeps apart on a day: callers choose users and tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from alertworker.ledger import SpendKey, SpendSums

#: What stands for all values of a dimension and day beyond the cap.
OTHER: Final = "(other)"


def capped(
    spend: Mapping[SpendKey, SpendSums], *, known: Iterable[SpendKey], room: Mapping[tuple[date, str], int]
) -> dict[SpendKey, SpendSums]:
    """Give the same sums with what is neither known nor has room in its day and dimension under `OTHER`.

    ``room`` says how many new values each (day, dimension) still takes; one it does not name takes all.
    """
    old, left = set(known), dict(room)
    books: dict[SpendKey, SpendSums] = {}
    for key in sorted(spend):
        place = (key.day, key.dimension)
        kept = key
        if place in left and key not in old:
            if left[place] > 0:
                left[place] -= 1
            else:
                kept = SpendKey(key.day, key.dimension, key.team_id, OTHER)
        books.setdefault(kept, SpendSums()).add(spend[key])
    return books
