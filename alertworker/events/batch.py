"""The batch: sealed events that travel as one message under one id.

On the wire a batch is one Celery message of the task `TASK` on the queue `QUEUE`. Its keyword arguments are
``batch_id``, ``producer``, ``sealed_at`` (ISO 8601), ``encoding`` and ``events``; only the last must be there.
``events`` is a JSON array: as zstd-compressed bytes carried by the msgpack serializer, as text, or, for producers that
have neither, as a plain list inside a JSON message.

Whoever sends it, reading a batch costs a bounded amount of time and memory: every bound is checked before the work it
is for. docs/events.md lists the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from alertworker.errors import AlertWorkerError
from alertworker.events import EVENT, EVENTS
from alertworker.events.base import MAX_EVENTS, Event
from alertworker.events.compression import ZSTD, CompressionError, compress, decompress
from alertworker.events.json_items import MAX_DEPTH, Item, JsonShapeError, TooManyItemsError, split_array, write

TASK: Final = "alertworker.ingest"
QUEUE: Final = "alertworker.events"
#: Redis: after how many seconds a batch of a dead worker is lost to it, and how often workers look for such batches.
VISIBILITY_TIMEOUT: Final = 20
RESTORE_INTERVAL: Final = 5
#: By when a batch of a dead worker has come again. What an absence means is decided only of the time before this.
REDELIVERED_WITHIN: Final = timedelta(seconds=VISIBILITY_TIMEOUT + RESTORE_INTERVAL + 5)
#: The content type of a sealed batch over HTTP; the body is its zstd-compressed JSON array.
SEALED_TYPE: Final = "application/vnd.alertworker.batch"
#: How many events one batch holds at most when it is sealed by our publisher.
MAX_BATCH_EVENTS: Final = 500
#: The largest batch that is taken, in bytes of JSON: 500 events of 64 KiB.
MAX_BATCH_BYTES: Final = 32 * 1024 * 1024
#: The largest event that is read, in bytes of JSON: every field at its bound, in four-byte characters, is half.
MAX_EVENT_BYTES: Final = 2 * 1024 * 1024
#: The most commas of an event, those within strings included: so many values can it have, each of which takes a hundred
#: bytes while it is parsed.
MAX_COMMAS: Final = 100_000
#: How many events of one batch may be bad before the batch is parked whole. As many as our publisher puts into one, so
#: that an old worker still applies the events it knows of a newer publisher's batch.
MAX_REJECTED: Final = MAX_BATCH_EVENTS
#: The largest payload that is shown as JSON rather than as text, in bytes.
_MAX_READABLE: Final = 1024 * 1024


class BatchError(AlertWorkerError):
    """A whole batch cannot be read, so none of its events can: it is parked with its bytes."""


class BatchShapeError(BatchError):
    """A batch is not one JSON array."""


class BatchTooLargeError(BatchError):
    """A batch has too many bytes, events or brackets."""


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch as it is sent, spooled and sent again: never re-cut, so that its id stands for these bytes for ever.

    ``body`` is the zstd-compressed JSON array; ``count`` its number of events; ``producer`` the publisher's boot id.
    """

    batch_id: str
    producer: str
    sealed_at: datetime
    count: int
    body: bytes

    def arguments(self) -> dict[str, Any]:
        """Return the task's keyword arguments, ready for msgpack."""
        return {
            "batch_id": self.batch_id,
            "producer": self.producer,
            "sealed_at": self.sealed_at.isoformat(),
            "encoding": "zstd",
            "events": self.body,
        }


def seal(encoded: Iterable[bytes], *, batch_id: str, producer: str, sealed_at: datetime) -> SealedBatch:
    """Make a batch of events that are already JSON, each as bytes."""
    events = list(encoded)
    return SealedBatch(batch_id, producer, sealed_at, len(events), compress(b"[" + b",".join(events) + b"]"))


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be read: its place in the batch, why, and its JSON as it came."""

    index: int
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of a batch: the good ones in order, and the bad ones with their reasons."""

    events: list[Event]
    rejected: list[Rejected]


def decode(events: object, encoding: str | None, *, most_rejected: int = MAX_BATCH_BYTES) -> Decoded:
    """Read a batch's events: all at once, or, when one is bad, one by one so that the good ones go on.

    Raises:
        BatchError: it is not a JSON array, cannot be decompressed, is over a bound, or has more than `MAX_REJECTED`
            bad events, or more than ``most_rejected`` bytes of them.
    """
    body = _json_bytes(events, encoding)
    if _is_simple(body):
        with suppress(ValidationError):
            return Decoded(EVENTS.validate_json(body), [])
    try:
        items = split_array(body, MAX_EVENTS)
    except JsonShapeError as error:
        raise BatchShapeError(f"events are not a JSON array: {error}") from None
    except TooManyItemsError as error:
        raise BatchTooLargeError(f"a batch has {error}; send smaller batches") from None
    return decode_items(items, most_rejected=most_rejected)


def decode_items(items: Iterable[Item], *, most_rejected: int = MAX_BATCH_BYTES) -> Decoded:
    """Read events one by one.

    Raises:
        BatchError: more than `MAX_REJECTED` of them are bad, or the bad ones have more than ``most_rejected`` bytes.
    """
    good: list[Event] = []
    bad: list[Rejected] = []
    size = 0
    for index, item in enumerate(items):
        event = _read(item)
        if isinstance(event, Event):
            good.append(event)
            continue
        bad.append(Rejected(index, event, item.json))
        if len(bad) > MAX_REJECTED:
            raise BatchError(f"more than {MAX_REJECTED} events are invalid, {_first(bad)}")
        size += len(item.json)
        if size > most_rejected:
            raise BatchError(f"the invalid events have more than {most_rejected:,} bytes, {_first(bad)}")
    return Decoded(good, bad)


def _first(bad: list[Rejected]) -> str:
    return f"first event {bad[0].index}: {bad[0].reason}"


def _read(item: Item) -> Event | str:
    """Return an event, or why there is none."""
    if len(item.json) > MAX_EVENT_BYTES:
        return f"event: {len(item.json)} bytes are over the limit of {MAX_EVENT_BYTES}"
    if item.json.count(b",") > MAX_COMMAS:
        return f"event: more than {MAX_COMMAS} commas"
    if item.depth > MAX_DEPTH:
        return f"event: nested deeper than {MAX_DEPTH} levels"
    try:
        event: Event = EVENT.validate_json(item.json)
        if _may_hold_nan(item.json):  # in a field that is ignored, or within a string
            from_json(item.json, allow_inf_nan=False)
    except ValidationError as error:
        return explain(error)
    except ValueError:
        return "event: NaN and Infinity are not JSON"
    return event


def _is_simple(body: bytes) -> bool:
    """Return whether no event of a body can be over a bound of its own, so that the parser alone decides about each."""
    return len(body) <= MAX_EVENT_BYTES and body.count(b",") <= MAX_COMMAS and not _may_hold_nan(body)


def _may_hold_nan(body: bytes) -> bool:
    """Return whether the names are there that Python writes and JSON does not have; they may be part of a string."""
    return b"NaN" in body or b"Infinity" in body


def explain(error: ValidationError) -> str:
    """Return what is wrong with an event, field by field, without repeating its content."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{_place(problem) or 'event'}: {_reason(problem)}" for problem in problems[:10])


def _place(problem: ErrorDetails) -> str:
    """Return the path of a field, without the keys of a producer's own mappings, which are content, too."""
    return ".".join(str(part) if isinstance(part, int) or part in _names() else "(a key)" for part in problem["loc"])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Return the names that the contract itself has: fields, types, and pydantic's word for a mapping's key."""
    schema = EVENTS.json_schema()
    fields = {name for model in schema["$defs"].values() for name in model.get("properties", ())}
    return frozenset({*fields, *schema["items"]["discriminator"]["mapping"], "[key]"})


def _reason(problem: ErrorDetails) -> str:
    """Return pydantic's message, except for the one problem whose message always repeats the input."""
    return "no such type; see `alertworker schema`" if problem["type"] == "union_tag_invalid" else problem["msg"]


def _json_bytes(events: object, encoding: str | None) -> bytes:
    if isinstance(events, list):
        body = _listed(events)
    elif isinstance(events, str):
        body = events.encode("utf-8", "surrogatepass")  # no UTF-8 then, which its event alone is rejected for
    elif isinstance(events, bytes):
        body = events
    else:
        raise BatchError(f"events must be a JSON array as bytes, text or a list, not {type(events).__name__}")
    if encoding == "zstd" and not isinstance(events, list):
        try:
            body = decompress(body, MAX_BATCH_BYTES)
        except CompressionError as error:
            raise BatchError(f"events are {error}") from error
    elif encoding not in (None, "", "identity", "zstd"):
        raise BatchError('unknown encoding; use "zstd" or leave it out')
    if len(body) > MAX_BATCH_BYTES:
        raise BatchTooLargeError(f"a batch of {len(body)} bytes is over the limit of {MAX_BATCH_BYTES}")
    return body


def _listed(events: list[object]) -> bytes:
    """Write a list of events as JSON; what cannot be read again there is rejected with its event."""
    if len(events) > MAX_EVENTS:
        raise BatchTooLargeError(f"a batch has more than {MAX_EVENTS} items; send smaller batches")
    try:
        return _ANY.dump_json(events)
    except ValueError:  # too deep, or half of a surrogate pair
        return b"[" + b",".join(map(write, events)) + b"]"


def readable(payload: bytes) -> object:
    """Return what a dead letter holds for a person: JSON, text where it is none, the start of what is long."""
    body = payload
    if payload.startswith(ZSTD):
        with suppress(CompressionError):
            body = decompress(payload, MAX_BATCH_BYTES)
    if len(body) <= _MAX_READABLE:
        with suppress(ValidationError):
            return _ANY.validate_json(body)
    return body[:_MAX_READABLE].decode(errors="replace")


#: NaN stays what it is, so that an event which has it is refused.
_ANY: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
