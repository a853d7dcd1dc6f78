"""Caps on what the ledger keeps separately per day: callers choose users and tags, and providers name errors. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import copy
from typing import Final, Protocol, Self, TypeVar

#: The entity that stands for all values beyond a cap.
OTHER: Final = "(other)"
#: The maximum number of error classes of a deployment per day. LiteLLM and the providers' libraries define some dozens.
MAX_OUTCOMES: Final = 100
#: The maximum number of fallback pairs (requested, used) per day: a caller may request any name.
MAX_FALLBACKS: Final = 1_000


class _Sums(Protocol):
    def add(self, other: Self, /) -> None: ...


_Key = TypeVar("_Key", bound=tuple[object, ...])
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
    """Return the sums, with all keys beyond the cap of their ``place`` added up under the ``other`` key.

    ``known`` keys always stay. ``room`` maps a place to the number of new keys that it still takes. Places that it
    does not contain have no cap.
    """
    old, left = set(known), dict(room)
    kept_sums: dict[_Key, _S] = {}
    for key in sorted(sums):
        at, kept = place(key), key
        if at in left and key not in old:
            if left[at] > 0:
                left[at] -= 1
            else:
                kept = other(key)
        if kept in kept_sums:
            kept_sums[kept].add(sums[key])
        else:
            kept_sums[kept] = copy(sums[key])
    return kept_sums
