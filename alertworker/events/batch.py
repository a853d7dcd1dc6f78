"""The batch: sealed events that travel as one message under one id.

On the wire a batch is one Celery message of the task `TASK` on the queue `QUEUE`. Its keyword arguments are
``batch_id``, ``producer``, ``sealed_at`` (ISO 8601), ``encoding`` and ``events``; only the last must be there.
``events`` is a JSON array: as zstd-compressed bytes carried by the msgpack serializer, as text, or, for producers that
have neither, as a plain list inside a JSON message.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import zstandard
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from alertworker.errors import AlertWorkerError
from alertworker.events import EVENT, EVENTS
from alertworker.events.base import Event

TASK: Final = "alertworker.ingest"
QUEUE: Final = "alertworker.events"
#: Redis: after how many seconds a batch of a dead worker is lost to it, and how often workers look for such batches.
VISIBILITY_TIMEOUT: Final = 20
RESTORE_INTERVAL: Final = 5
#: By when a batch of a dead worker has come again. What an absence means is decided only of the time before this.
REDELIVERED_WITHIN: Final = timedelta(seconds=VISIBILITY_TIMEOUT + RESTORE_INTERVAL + 5)
#: The content type of a sealed batch over HTTP; the body is its zstd-compressed JSON array.
SEALED_TYPE: Final = "application/vnd.alertworker.batch"
#: How many events one batch holds at the most when it is sealed by our publisher.
MAX_BATCH_EVENTS: Final = 500
#: The largest batch that is taken, in bytes of JSON: 500 events at their bounds fit several times over.
MAX_BATCH_BYTES: Final = 32 * 1024 * 1024
#: The first bytes of everything zstd has compressed (RFC 8878, section 3.1.1).
ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: Level 1 compresses LLM events more than tenfold at half a microsecond an event; higher levels gain little.
_LEVEL: Final = 1


class BatchError(AlertWorkerError):
    """A whole batch cannot be read, so none of its events can: it is parked with its bytes."""


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
        """Give the task's keyword arguments, ready for msgpack."""
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


def compress(body: bytes) -> bytes:
    """Compress a JSON array as it travels."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(body)


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


def decode(events: object, encoding: str | None) -> Decoded:
    """Read a batch's events: all at once, or, when one is bad, one by one so that the good ones go on.

    Raises:
        BatchError: when it is not a JSON array at all, cannot be decompressed, or is over `MAX_BATCH_BYTES`.
    """
    body = _json_bytes(events, encoding)
    try:
        return Decoded(EVENTS.validate_json(body), [])
    except ValidationError:
        return _one_by_one(body)


def explain(error: ValidationError) -> str:
    """Say what is wrong with an event, field by field, without repeating its content."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{_place(problem) or 'event'}: {_reason(problem)}" for problem in problems[:10])


def _place(problem: ErrorDetails) -> str:
    """Give where it is, without the keys of a producer's own mappings, which are content, too."""
    return ".".join(str(part) if isinstance(part, int) or part in _names() else "(a key)" for part in problem["loc"])


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Give the names that the contract itself has: fields, types, and pydantic's word for a mapping's key."""
    schema = EVENTS.json_schema()
    fields = {name for model in schema["$defs"].values() for name in model.get("properties", ())}
    return frozenset({*fields, *schema["items"]["discriminator"]["mapping"], "[key]"})


def _reason(problem: ErrorDetails) -> str:
    """Give pydantic's words, but for the one problem in which they repeat the input, whatever was asked."""
    return "no such type; see `alertworker schema`" if problem["type"] == "union_tag_invalid" else problem["msg"]


def _json_bytes(events: object, encoding: str | None) -> bytes:
    if isinstance(events, list):
        return _ANY.dump_json(events)
    body = events.encode() if isinstance(events, str) else events
    if not isinstance(body, bytes):
        raise BatchError(f"events must be a JSON array as bytes, text or a list, not {type(events).__name__}")
    if encoding == "zstd":
        body = _decompress(body)
    elif encoding not in (None, "", "identity"):
        raise BatchError('unknown encoding; use "zstd" or leave it out')
    if len(body) > MAX_BATCH_BYTES:
        raise BatchError(f"a batch of {len(body)} bytes is over the limit of {MAX_BATCH_BYTES}; send smaller batches")
    return body


def readable(payload: bytes) -> object:
    """Give what a dead letter holds for a person: JSON where it is, text where it is not."""
    body = payload
    if payload.startswith(ZSTD):
        with suppress(BatchError):
            body = _decompress(payload)
    try:
        return _ANY.validate_json(body)
    except ValidationError:
        return body.decode(errors="replace")


def _decompress(body: bytes) -> bytes:
    """Decompress with a bound, so that a small message cannot fill the memory."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            return reader.read(MAX_BATCH_BYTES + 1)
    except zstandard.ZstdError as error:
        raise BatchError("events are not zstd-compressed as their encoding says") from error


#: NaN stays what it is, so that an event which has it is refused by the name of its field.
_ANY: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
_ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[Any], config=ConfigDict(hide_input_in_errors=True))


def _one_by_one(body: bytes) -> Decoded:
    try:
        items = _ITEMS.validate_json(body)
    except ValidationError as error:
        raise BatchError(f"events are not a JSON array: {explain(error)}") from None
    good: list[Event] = []
    bad: list[Rejected] = []
    for index, item in enumerate(items):
        payload = _ANY.dump_json(item)
        try:
            good.append(EVENT.validate_json(payload))
        except ValidationError as error:
            bad.append(Rejected(index, explain(error), payload))
    return Decoded(good, bad)
