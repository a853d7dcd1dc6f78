"""Splits a JSON array into the bytes of its items, without building a value and without recursion.

A parser rejects a whole array because of one item that nests too deep, holds a lone surrogate or is not UTF-8. The
splitter reads brackets and quotes only, so such an item is rejected alone. Its cost grows with the number of brackets,
which is limited. A regular expression without backtracking skips everything between two brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from alertworker.errors import AlertWorkerError

#: The maximum depth of an event. pydantic's JSON parser reads 201 levels, and the array of the batch is one of them.
MAX_DEPTH: Final = 200
#: The maximum number of brackets and separators in a body. An event with all its lists full has 80, so a batch of these
#: has less than half of the maximum.
MAX_STEPS: Final = 1_000_000
#: The maximum for each item of an array that may have more items than a batch.
STEPS_PER_ITEM: Final = 200
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
#: Everything up to the next bracket, and up to the next bracket or comma. Strings are skipped whole.
TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|%b)*+' % _STRING, re.DOTALL)
_TO_COMMA: Final = re.compile(rb'(?:[^"\[\]{},]++|%b)*+' % _STRING, re.DOTALL)
#: How a character changes the depth. The parser checks later that brackets match.
_DEEPER: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_WHITESPACE: Final = b" \t\r\n"


class JsonShapeError(AlertWorkerError):
    """A body is not the expected JSON: brackets or quotes do not close, or other data precedes or follows."""


class TooManyItemsError(AlertWorkerError):
    """An array has too many items, or a body too many brackets."""


class Item(NamedTuple):
    """The unchanged bytes of one item, without the space around them, and the depth of its brackets."""

    json: bytes
    depth: int


def split_array(body: bytes, most: int) -> list[Item]:
    """Return the items of a JSON array, which need not be valid JSON themselves.

    Raises:
        JsonShapeError: the body is not one array.
        TooManyItemsError: there are more than ``most`` items, or too many brackets.
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
    """Return the array or object that begins at ``start``, and its end.

    Raises:
        JsonShapeError: the array or object does not end.
        TooManyItemsError: the array or object has more than `MAX_STEPS` brackets and separators.
    """
    deepest, end = 0, start
    for position, depth in _walk(body, start, MAX_STEPS):
        deepest, end = max(deepest, depth), position + 1
    return Item(body[start:end], deepest), end


def skip_space(body: bytes, start: int) -> int:
    """Return the position of the first byte from ``start`` on that is not white space."""
    found = _SPACE.match(body, start)
    return found.end() if found is not None else start


def _walk(body: bytes, position: int, steps: int) -> Iterator[tuple[int, int]]:
    """Yield the position of each bracket, and of each comma of the outermost value, with the depth after it.

    The first one is the bracket at ``position``, the last one the bracket that closes it.

    Raises:
        JsonShapeError: the bracket is not closed.
        TooManyItemsError: there are more than ``steps`` of them.
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
    """A piece of JSON syntax on the stack of values to write."""

    __slots__ = ()


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else repr(value)


def write(value: object) -> bytes:
    """Return lists and dicts of any depth as JSON. A lone surrogate becomes its escape.

    Bytes become a string, which is invalid if they are not UTF-8. Any other type that JSON lacks becomes its `repr`.
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
