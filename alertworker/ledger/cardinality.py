"""How much the ledger keeps apart on a day: callers choose users and tags, providers the names of errors. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import copy
from typing import Any, Final, Protocol, TypeVar

#: What stands for all values beyond a cap.
OTHER: Final = "(other)"
#: How many classes of errors a deployment has on one day; LiteLLM and the providers' libraries know some dozens.
MAX_OUTCOMES: Final = 100
#: How many pairs of model groups (asked for, used) fallbacks have on one day; a caller may ask for any name.
MAX_FALLBACKS: Final = 1_000


class _Sums(Protocol):
    def add(self, other: Any, /) -> None: ...


_Key = TypeVar("_Key", bound=tuple[Any, ...])
_Place = TypeVar("_Place", bound=Hashable)
_S = TypeVar("_S", bound=_Sums)


def capped(
    sums: Mapping[_Key, _S],
    *,
    known: Iterable[_Key],
    room: Mapping[_Place, int],
    place: Callable[[_Key], _Place],
    other: Callable[[_Key], _Key],
) -> dict[_Key, _S]:
    """Give the same sums with what is neither known nor has room in its ``place`` under the ``other`` key.

    ``room`` says how many new keys each place still takes; one it does not name takes all.
    """
    old, left = set(known), dict(room)
    books: dict[_Key, _S] = {}
    for key in sorted(sums):
        at, kept = place(key), key
        if at in left and key not in old:
            if left[at] > 0:
                left[at] -= 1
            else:
                kept = other(key)
        if kept in books:
            books[kept].add(sums[key])
        else:
            books[kept] = copy(sums[key])
    return books
