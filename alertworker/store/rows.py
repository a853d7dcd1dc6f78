"""Rows of sums as tuples. A mapping for each row would cost more than the database does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_K = TypeVar("_K", bound=NamedTuple)
_Sums = TypeVar("_Sums", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table: the names of their columns, and the values of each row in that order."""

    names: tuple[str, ...] = ()
    values: Sequence[tuple[object, ...]] = ()


def rows_of(sums: Mapping[_K, _Sums]) -> Rows:
    """Return the rows of named keys and their sums, in the order of the keys.

    All keys are of one named tuple. All sums are of one dataclass with at least two fields.
    """
    if not sums:
        return Rows()
    keys = sorted(sums)
    names = [item.name for item in fields(sums[keys[0]])]
    values = attrgetter(*names)
    return Rows((*keys[0]._fields, *names), [(*key, *values(sums[key])) for key in keys])
