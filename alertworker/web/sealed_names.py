"""The bound on distinct names in a sealed batch. The batch is parsed, and written again only if a name is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic_core import from_json, to_json

from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import MAX_BATCH_BYTES, MAX_COMMAS, MAX_EVENT_BYTES, is_simple
from alertworker.events.compression import CompressionError, compress, decompress
from alertworker.events.json_items import Item, JsonShapeError, TooManyItemsError, split_array
from alertworker.web.errors import Refusal

#: Bounds the names of a parsed event in place, and returns how many it replaced.
BoundEvent = Callable[[dict[str, Any]], int]


def bound_batch(
    body: bytes, stopped: threading.Event | None = None, *, bound: BoundEvent, charge: Callable[[int], None]
) -> tuple[bytes, int]:
    """Return a compressed batch with a bounded number of names, and how many names were replaced.

    ``charge`` is called with the number of events before their names are read. A client may have stated any other
    number, and 13 KB may hold 5,000. A batch that cannot be read counts as the largest one, and is returned unchanged,
    because the worker parks it with its bytes. An event that cannot be read stays as it is, because the worker rejects
    it.

    Raises:
        Refusal: ``stopped`` is set, because the request was answered.
    """
    try:
        whole = decompress(body, MAX_BATCH_BYTES)
        events = _parsed(whole)
        items = split_array(whole, MAX_EVENTS) if events is None else []
    except (CompressionError, JsonShapeError, TooManyItemsError):
        charge(MAX_EVENTS)
        return body, 0
    charge(len(items if events is None else events))
    if events is not None:
        replaced = sum(bound(event) for event in events if isinstance(event, dict))
        return (compress(_json(events)) if replaced else body), replaced
    written, replaced = [], 0
    for item in items:
        if stopped is not None and stopped.is_set():
            raise Refusal(503, "the request was answered before its events were read")
        json, count = _bound_item(item, bound)
        written.append(json)
        replaced += count
    return (compress(b"[%b]" % b",".join(written)) if replaced else body), replaced


def _parsed(whole: bytes) -> list[Any] | None:
    """Return the items of a usual batch, ``None`` if it is large or invalid, so that `split_array` must read it."""
    if is_simple(whole):
        with suppress(ValueError):
            events = from_json(whole)
            return events if isinstance(events, list) and len(events) <= MAX_EVENTS else None
    return None


def _bound_item(item: Item, bound: BoundEvent) -> tuple[bytes, int]:
    if len(item.json) <= MAX_EVENT_BYTES and item.json.count(b",") <= MAX_COMMAS:
        with suppress(ValueError):
            event = from_json(item.json, allow_inf_nan=False)
            if isinstance(event, dict) and (replaced := bound(event)):
                return _json(event), replaced
    return item.json, 0


def _json(value: object) -> bytes:
    """Return JSON. A number that is too large for a float stays invalid, so that the worker rejects its event."""
    return to_json(value, inf_nan_mode="constants")
