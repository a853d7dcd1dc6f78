"""The batch: sealed events that are sent as one message under one id.

On the wire a batch is one Celery message of the task `TASK` on the queue `QUEUE`. Its keyword arguments are
``batch_id``, ``producer``, ``sealed_at`` (ISO 8601), ``encoding`` and ``events``. Only ``events`` is required. It is a
JSON array: as zstd-compressed bytes in a msgpack message, as a string, or as a plain list in a JSON message.

Reading a batch costs a bounded amount of time and memory, whatever its producer sends. Each bound is checked before the
work that it limits. docs/events.md lists the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from alertworker.errors import AlertWorkerError
from alertworker.events import EVENT, EVENTS
from alertworker.events.base import MAX_EVENTS, Event
from alertworker.events.compression import ZSTD, CompressionError, compress, decompress
from alertworker.events.json_items import MAX_DEPTH, Item, JsonShapeError, TooManyItemsError, split_array, write
from alertworker.events.msgpack_events import unpack_event, why_not_json

TASK: Final = "alertworker.ingest"
QUEUE: Final = "alertworker.events"
#: Redis: after how many seconds a dead worker's batch goes to another worker, and how often, in seconds, workers look
#: for such batches.
VISIBILITY_TIMEOUT: Final = 20
RESTORE_INTERVAL: Final = 5
#: How long the redelivery of a dead worker's batch takes at most. Missing events of a more recent time prove nothing.
REDELIVERED_WITHIN: Final = timedelta(seconds=VISIBILITY_TIMEOUT + RESTORE_INTERVAL + 5)
#: The producer of batches that workers and beat send. Only they send a canary.
WORKER: Final = "worker"
#: The content type of a sealed batch over HTTP; the body is its zstd-compressed JSON array.
SEALED_TYPE: Final = "application/vnd.alertworker.batch"
#: The maximum number of events in a batch that our publisher seals.
MAX_BATCH_EVENTS: Final = 500
#: The maximum size of a batch, in bytes of JSON: 500 events of 64 KiB.
MAX_BATCH_BYTES: Final = 32 * 1024 * 1024
#: The maximum size of an event, in bytes of JSON. An event with every field at its bound, in 4-byte characters, has
#: half of that.
MAX_EVENT_BYTES: Final = 2 * 1024 * 1024
#: The maximum number of commas in an event, those within strings included. It limits the number of values, each of
#: which takes 100 bytes while it is parsed.
MAX_COMMAS: Final = 100_000
#: A batch with more invalid events than this is parked whole. It is the size of our publisher's batches. So an old
#: worker still applies the events that it knows of a newer publisher's batch.
MAX_REJECTED: Final = MAX_BATCH_EVENTS
#: The maximum size of a payload that is shown as JSON, not as text, in bytes.
_MAX_READABLE: Final = 1024 * 1024


class BatchError(AlertWorkerError):
    """A batch cannot be read or applied. It is parked with its bytes."""


class BatchShapeError(BatchError):
    """A batch is not one JSON array."""


class BatchTooLargeError(BatchError):
    """A batch has too many bytes, events or brackets."""


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch as it is sent, spooled and sent again. It never changes, so its id identifies these bytes.

    ``body`` is the zstd-compressed JSON array; ``count`` its number of events; ``producer`` the publisher's boot id.
    """

    batch_id: str
    producer: str
    sealed_at: datetime
    count: int
    body: bytes

    def arguments(self) -> dict[str, object]:
        """Return the task's keyword arguments, ready for msgpack."""
        return {
            "batch_id": self.batch_id,
            "producer": self.producer,
            "sealed_at": self.sealed_at.isoformat(),
            "encoding": "zstd",
            "events": self.body,
        }


def seal(encoded: Iterable[bytes], *, batch_id: str, producer: str, sealed_at: datetime) -> SealedBatch:
    """Return a batch of events that are encoded as JSON already."""
    events = list(encoded)
    return SealedBatch(batch_id, producer, sealed_at, len(events), compress(b"[" + b",".join(events) + b"]"))


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be read: its index in the batch, the reason, and its JSON or msgpack as it was sent."""

    index: int
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of a batch: the valid ones in order, and the rejected ones with their reasons."""

    events: list[Event]
    rejected: list[Rejected]


def decode(events: object, encoding: str | None, *, most_rejected: int = MAX_BATCH_BYTES) -> Decoded:
    """Read a batch's events: all at once, or one by one if one is invalid, so that the others are applied.

    Raises:
        BatchError: it is not a JSON array, cannot be decompressed, is over a bound, or has more than `MAX_REJECTED`
            bad events, or more than ``most_rejected`` bytes of them.
    """
    body = _json_bytes(events, encoding)
    if is_simple(body):
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
        packed = unpack_event(item.json)
        event = _read(item) if packed is None else why_not_json(packed)
        if isinstance(event, Event):
            good.append(event)
            continue
        payload = item.json if packed is None else packed
        bad.append(Rejected(index, event, payload))
        if len(bad) > MAX_REJECTED:
            raise BatchError(f"more than {MAX_REJECTED} events are invalid, {_first(bad)}")
        size += len(payload)
        if size > most_rejected:
            raise BatchError(f"the invalid events have more than {most_rejected:,} bytes, {_first(bad)}")
    return Decoded(good, bad)


def _first(bad: list[Rejected]) -> str:
    return f"first event {bad[0].index}: {bad[0].reason}"


def _read(item: Item) -> Event | str:
    """Return the event, or the reason why it is rejected."""
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


def is_simple(body: bytes) -> bool:
    """Return whether no event of a body can exceed a bound, so that the whole body can be validated at once."""
    return len(body) <= MAX_EVENT_BYTES and body.count(b",") <= MAX_COMMAS and not _may_hold_nan(body)


def _may_hold_nan(body: bytes) -> bool:
    """Return whether a body contains NaN or Infinity, which are not JSON. They may be part of a string."""
    return b"NaN" in body or b"Infinity" in body


def explain(error: ValidationError) -> str:
    """Return the errors of an event, field by field, without repeating its content."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{_place(problem) or 'event'}: {_reason(problem)}" for problem in problems[:10])


def _place(problem: ErrorDetails) -> str:
    """Return the path of a field. The keys of a producer's own mappings are left out, because they are content, too."""
    return ".".join(str(part) if isinstance(part, int) or part in _names() else "(a key)" for part in problem["loc"])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Return the names of the contract: fields, types, and pydantic's placeholder for a mapping's key."""
    schema = EVENTS.json_schema()
    fields = {name for model in schema["$defs"].values() for name in model.get("properties", ())}
    return frozenset({*fields, *schema["items"]["discriminator"]["mapping"], "[key]"})


def _reason(problem: ErrorDetails) -> str:
    """Return pydantic's message, except that for an unknown type, which repeats the input."""
    return "unknown type; see `alertworker schema`" if problem["type"] == "union_tag_invalid" else problem["msg"]


def _json_bytes(events: object, encoding: str | None) -> bytes:
    if isinstance(events, list):
        body = _listed(events)
    elif isinstance(events, str):
        body = events.encode("utf-8", "surrogatepass")  # a lone surrogate rejects only its own event
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
    """Return a list of events as JSON. An item that JSON cannot represent is rejected later with its event."""
    if len(events) > MAX_EVENTS:
        raise BatchTooLargeError(f"a batch has more than {MAX_EVENTS} items; send smaller batches")
    try:
        return _ANY.dump_json(events)
    except ValueError:  # too deep, or half of a surrogate pair
        return b"[" + b",".join(map(write, events)) + b"]"


def display_payload(payload: bytes) -> object:
    """Return a dead letter's payload for display: as JSON, or as text if it is not JSON or long, cut to 1 MiB."""
    body = payload
    if payload.startswith(ZSTD):
        with suppress(CompressionError):
            body = decompress(payload, MAX_BATCH_BYTES)
    if len(body) <= _MAX_READABLE:
        with suppress(ValidationError):
            return _ANY.validate_json(body)
    return body[:_MAX_READABLE].decode(errors="replace")


#: NaN is written as NaN, so that its event is rejected.
_ANY: TypeAdapter[object] = TypeAdapter(object, config=ConfigDict(ser_json_inf_nan="constants"))
