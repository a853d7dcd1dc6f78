"""Events in an HTTP body or a file: a JSON array, one JSON object, or one object a line."""

from __future__ import annotations

import codecs
from contextlib import suppress
from itertools import count
from typing import Final

from alertworker.events import Canary
from alertworker.events.base import MAX_EVENTS, Event
from alertworker.events.batch import (
    BatchError,
    BatchShapeError,
    BatchTooLargeError,
    Decoded,
    Rejected,
    decode,
    decode_items,
)
from alertworker.events.json_items import (
    MAX_DEPTH,
    MAX_STEPS,
    Item,
    JsonShapeError,
    TooManyItemsError,
    first_value,
    skip_space,
    split_array,
)

#: The maximum number of lines in a body. Blank lines count, because they cost as much as others.
MAX_LINES: Final = 2 * MAX_EVENTS


def decode_body(body: bytes) -> Decoded:
    """Read the events of a body. Reject events that only the workers may send.

    Raises:
        BatchError: a bound is exceeded.
    """
    body = _utf8(body)
    if body.startswith(b"[", skip_space(body, 0)):
        with suppress(BatchShapeError):
            return without_internal(decode(body, None))
    return without_internal(decode_items(split_body(body)))


def without_internal(decoded: Decoded) -> Decoded:
    """Return the events without canaries, which would prove that the pipeline is current, with an error for each."""
    if not any(isinstance(event, Canary) for event in decoded.events):
        return decoded
    bad = {rejected.index: rejected for rejected in decoded.rejected}
    places = (index for index in count() if index not in bad)
    events: list[Event] = []
    internal: list[Rejected] = []
    for event, index in zip(decoded.events, places, strict=False):
        if isinstance(event, Canary):
            internal.append(
                Rejected(index, f"type: only the workers send {event.type}", event.model_dump_json().encode())
            )
        else:
            events.append(event)
    return Decoded(events, sorted([*decoded.rejected, *internal], key=lambda rejected: rejected.index))


def split_body(body: bytes, *, most: int = MAX_EVENTS, lines: int = MAX_LINES) -> list[Item]:
    """Return the events of a body before validation. A line that is not JSON counts as an event.

    Raises:
        BatchTooLargeError: there are more than ``most`` events or ``lines`` lines.
        BatchError: the body is not UTF-8.
    """
    body = _utf8(body)
    start = skip_space(body, 0)
    try:
        with suppress(JsonShapeError):
            if body.startswith(b"[", start):
                return split_array(body, most)
            if body.startswith(b"{", start):
                item, end = first_value(body, start)
                if skip_space(body, end) == len(body):
                    return [item]
    except TooManyItemsError as error:
        raise BatchTooLargeError(f"{error}; send less at a time") from None
    if body.count(b"\n") >= lines:
        raise BatchTooLargeError(f"more than {lines} lines; send less at a time")
    items = [Item(line, _most_levels(line)) for line in (line.strip() for line in body.split(b"\n")) if line]
    if len(items) > most:
        raise BatchTooLargeError(f"more than {most} events; send less at a time")
    if sum(item.depth for item in items if item.depth > MAX_DEPTH) > MAX_STEPS:
        raise BatchTooLargeError(f"more than {MAX_STEPS} brackets; send less at a time")
    return [_measured(item) if item.depth > MAX_DEPTH else item for item in items]


def _utf8(body: bytes) -> bytes:
    """Return a body without a byte order mark, which Windows' tools write.

    Raises:
        BatchError: the body is UTF-16 or UTF-32, which has a NUL beside or after its first character.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:2]:
        raise BatchError("the events are UTF-16 or UTF-32; encode them in UTF-8")
    return body.removeprefix(codecs.BOM_UTF8)


def _most_levels(line: bytes) -> int:
    """Return the maximum depth of a line: its number of brackets, including those within strings."""
    return line.count(b"[") + line.count(b"{")


def _measured(item: Item) -> Item:
    """Return an item with its real depth, or 0 if it is invalid: the parser then reports the reason."""
    if item.json.startswith((b"[", b"{")):
        with suppress(JsonShapeError, TooManyItemsError):
            return Item(item.json, first_value(item.json, 0)[0].depth)
    return Item(item.json, 0)
