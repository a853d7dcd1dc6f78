"""Cuts JSON into the bytes of its items, without building a value and without recursion.

A parser gives up on a whole array because of one item that nests too deep, holds half of a surrogate pair or is not
UTF-8. The cutter looks at brackets and quotes only, so each such item stands alone. Its work grows with the number of
brackets, which is bounded; all between two brackets is skipped by a regular expression that never goes back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from alertworker.errors import AlertWorkerError

#: How deep an event may nest. pydantic's JSON parser reads 201 levels, of which a batch's own array is one.
MAX_DEPTH: Final = 200
#: How many brackets and separators of a body are looked at: an event with all its lists full has 80, a batch of them
#: less than half of it.
MAX_STEPS: Final = 1_000_000
#: How many for each item of an array that may have more than a batch's.
STEPS_PER_ITEM: Final = 200
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
#: All up to the next bracket, and, in the outermost value, up to the next comma; strings are skipped whole.
TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|%b)*+' % _STRING, re.DOTALL)
_TO_COMMA: Final = re.compile(rb'(?:[^"\[\]{},]++|%b)*+' % _STRING, re.DOTALL)
#: How a mark changes the depth. Which bracket closes which is left to the parser.
_DEEPER: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_WHITESPACE: Final = b" \t\r\n"


class JsonShapeError(AlertWorkerError):
    """Brackets or quotes do not close, or there is something else where JSON was expected."""


class TooManyItemsError(AlertWorkerError):
    """An array has more items, or a body more brackets, than are looked at."""


class Item(NamedTuple):
    """The bytes of one item as they came, without the space around them, and how deep its brackets nest."""

    json: bytes
    depth: int


def split_array(body: bytes, most: int) -> list[Item]:
    """Return the items of a JSON array, which need not be valid JSON themselves.

    Raises:
        JsonShapeError: the body is not one array.
        TooManyItemsError: there are more than ``most`` items, or more brackets than are looked at.
    """
    start = skip_space(body, 0)
    if body[start : start + 1] != b"[":
        raise JsonShapeError("does not begin with a bracket")
    items: list[Item] = []
    begin, deepest, position = start + 1, 1, start
    for position, depth in _walk(body, start, max(MAX_STEPS, most * STEPS_PER_ITEM)):
        deepest = max(deepest, depth)
        if depth == 0 or body[position] == ord(","):
            items.append(Item(body[begin:position].strip(_WHITESPACE), deepest - 1))
            begin, deepest = position + 1, 1
            if len(items) > most:
                raise TooManyItemsError(f"more than {most} items")
    if skip_space(body, position + 1) != len(body):
        raise JsonShapeError("has data after its last bracket")
    return items if len(items) > 1 or items[0].json else []


def first_value(body: bytes, start: int) -> tuple[Item, int]:
    """Return the array or object that begins at ``start``, and where it ends.

    Raises:
        JsonShapeError: it does not end.
        TooManyItemsError: it has more than `MAX_STEPS` brackets and separators.
    """
    deepest, end = 0, start
    for position, depth in _walk(body, start, MAX_STEPS):
        deepest, end = max(deepest, depth), position + 1
    return Item(body[start:end], deepest), end


def skip_space(body: bytes, start: int) -> int:
    """Return where the white space that begins at ``start`` ends."""
    found = _SPACE.match(body, start)
    return found.end() if found is not None else start


def _walk(body: bytes, position: int, steps: int) -> Iterator[tuple[int, int]]:
    """Yield where each bracket and each comma of the outermost value stands, and the depth behind it.

    Begins with the bracket at ``position``, ends with the one that closes it, and gives up after so many ``steps``.
    """
    depth, end = 0, len(body)
    for _ in range(steps):
        found = (_TO_COMMA if depth == 1 else TO_BRACKET).match(body, position)
        position = found.end() if found is not None else position
        step = _DEEPER.get(body[position]) if position < end else None
        if step is None:
            raise JsonShapeError("ends within a string" if position < end else "ends before its last bracket")
        depth += step
        yield position, depth
        if depth == 0:
            return
        position += 1
    raise TooManyItemsError(f"more than {steps} brackets and separators")


class _Mark(str):
    """A piece of JSON itself, between the values that are still to be written."""

    __slots__ = ()


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else repr(value)


def write(value: object) -> bytes:
    """Write lists and dicts of any depth as JSON; half of a surrogate pair becomes its escape.

    What JSON has no form for becomes a string: bytes that are not UTF-8 one that cannot be read, the rest its `repr`.
    """
    written: list[str] = []
    left = [value]
    while left:
        top = left.pop()
        if isinstance(top, _Mark):
            written.append(top)
        elif isinstance(top, dict):
            left.append(_Mark("}"))
            for place, (key, inner) in reversed(list(enumerate(top.items()))):
                left += [inner, _Mark(f"{',' if place else ''}{json.dumps(str(key))}:")]
            left.append(_Mark("{"))
        elif isinstance(top, (list, tuple)):
            left.append(_Mark("]"))
            for place, inner in reversed(list(enumerate(top))):
                left += [inner, _Mark("," if place else "")]
            left.append(_Mark("["))
        else:
            written.append(json.dumps(top, default=_text))
    return "".join(written).encode()
