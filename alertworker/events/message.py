"""The body of a Celery message, read within fixed bounds.

A body is JSON or msgpack, plain or compressed as a whole. It has the form ``[args, kwargs, embed]`` (Celery's message
protocol 2), or is a mapping with ``task``, ``id``, ``args`` and ``kwargs`` (protocol 1). Its first bytes decide.
Headers are ignored, so a dead letter, which has none, is read in the same way. Only the keyword arguments of our own
tasks become objects. A cursor skips all others. The events stay bytes here: `alertworker.events.batch.decode` reads
them one by one.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from alertworker.errors import AlertWorkerError
from alertworker.events.compression import ZSTD, CompressionError, OversizeError, decompress
from alertworker.events.json_cursor import CursorError, JsonCursor
from alertworker.events.json_items import skip_space
from alertworker.events.msgpack_cursor import MsgpackCursor

#: The maximum size of a body, in bytes: a batch of the maximum size, escaped as a string within JSON.
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
#: How many bytes are kept of a body over that limit. It can never be applied, so its start and a digest are enough.
KEPT_BYTES: Final = 1024 * 1024
#: The maximum size of a decompressed body, in bytes: a batch of the maximum size, and 1 MiB for the rest.
MAX_DECOMPRESSED_BYTES: Final = 33 * 1024 * 1024
#: The maximum size of the body of one of the worker's own tasks, in bytes, before and after decompression.
MAX_TASK_BYTES: Final = 64 * 1024
#: The maximum number of keys in a mapping of a message. Protocol 1 has 20.
_MAX_KEYS: Final = 64
#: The keyword arguments that are read, besides the events.
_KEYWORDS: Final = frozenset({"batch_id", "producer", "sealed_at", "encoding", "channel"})

_Cursor = JsonCursor | MsgpackCursor


class MessageError(AlertWorkerError):
    """A message cannot be read as a call of a task. The error repeats no content."""


@dataclass(frozen=True, slots=True)
class TaskCall:
    """The call of a task in a message. ``task`` and ``id`` are in the body of protocol 1 only.

    ``arguments`` holds only the keyword arguments of our own tasks. ``events`` is the one with the events, as bytes.
    """

    arguments: dict[str, object]
    events: bytes | None = None
    task: object = None
    id: object = None


def read_message(body: bytes) -> TaskCall:
    """Read the body of a message that brings a batch.

    Raises:
        MessageError: the body is not a call, has positional arguments, or is too large or cut off.
    """
    return _read(body, MAX_MESSAGE_BYTES, MAX_DECOMPRESSED_BYTES)


def read_task(body: bytes) -> TaskCall:
    """Read the body of a message to one of the worker's own tasks, which is short.

    Raises:
        MessageError: as for `read_message`.
    """
    return _read(body, MAX_TASK_BYTES, MAX_TASK_BYTES)


def _read(body: bytes, limit: int, decompressed: int) -> TaskCall:
    if len(body) > limit:
        raise MessageError(f"a message of {len(body)} bytes is over the limit of {limit}")
    try:
        whole = _decompressed(body, decompressed)
        start = skip_space(whole, 0)
        is_json = whole[start : start + 1] in (b"[", b"{")
        return _call(JsonCursor(whole) if is_json else MsgpackCursor(whole, limit=decompressed))
    except MessageError:
        raise
    except CursorError as error:
        raise MessageError(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever a library raises for these bytes, the message must be parked
        # The libraries' own texts may repeat the input.
        raise MessageError(f"the message cannot be decoded ({type(error).__name__})") from None


def _call(cursor: _Cursor) -> TaskCall:
    if cursor.is_array():
        call = _protocol_2(cursor)
    elif cursor.is_map():
        call = _protocol_1(cursor)
    else:
        raise MessageError("the message is neither JSON nor msgpack")
    cursor.finish()
    return call


def _protocol_2(cursor: _Cursor) -> TaskCall:
    """Read ``[args, kwargs, embed]``; the last may be missing."""
    call, count = None, 0
    for _ in cursor.items():
        count += 1
        if count == 1:
            _refuse_positional(cursor)
        elif count == 2:
            call = _arguments(cursor)
        elif count == 3:
            cursor.skip()
        else:
            break
    if call is None or count > 3:
        raise MessageError("the message is not [args, kwargs, embed]; see docs/events.md")
    return call


def _protocol_1(cursor: _Cursor) -> TaskCall:
    call, found = None, dict[str, object]()
    for key in _unique(cursor, {"args", "kwargs", "task", "id"}):
        if key == "args":
            _refuse_positional(cursor)
        elif key == "kwargs":
            call = _arguments(cursor)
        else:
            found[key] = cursor.scalar()
    if call is None:
        raise MessageError("the message's keyword arguments must be an object")
    return replace(call, task=found.get("task"), id=found.get("id"))


def _arguments(cursor: _Cursor) -> TaskCall:
    """Return the call with its keyword arguments alone."""
    if not cursor.is_map():
        raise MessageError("the message's keyword arguments must be an object")
    events, found = None, dict[str, object]()
    for key in _unique(cursor, {"events", *_KEYWORDS}):
        if key == "events":
            events = cursor.events()
        else:
            found[key] = cursor.scalar()
    return TaskCall(found, events)


def _unique(cursor: _Cursor, wanted: set[str]) -> Iterator[str]:
    """Step through a mapping: stop at each wanted key, skip the values of all others.

    Raises:
        MessageError: a wanted key occurs twice, or there are too many keys.
    """
    seen: set[str] = set()
    for count, key in enumerate(cursor.keys()):
        if count >= _MAX_KEYS:
            raise MessageError("the message has too many keys")
        if key not in wanted:
            cursor.skip()
            continue
        if key in seen:
            raise MessageError(f"the message has {key} twice")
        seen.add(key)
        yield key


def _refuse_positional(cursor: _Cursor) -> None:
    if not cursor.skip_empty():
        raise MessageError("the message has positional arguments; send keyword arguments only")


class _Decompressor(Protocol):
    """A decompressor of the standard library. It returns at most ``limit`` bytes."""

    @property
    def eof(self) -> bool:
        """Return whether the end of the compressed data was read."""
        ...

    def decompress(self, data: bytes, limit: int, /) -> bytes:
        """Return the decompressed bytes."""
        ...


#: The magic numbers of compressed bodies, and their decompressors. No call in JSON or msgpack begins with one of them.
_COMPRESSED: Final[tuple[tuple[bytes, Callable[[], _Decompressor]], ...]] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (b"x", zlib.decompressobj),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 * 1024 * 1024)),
)


def _decompressed(body: bytes, limit: int) -> bytes:
    try:
        if body.startswith(ZSTD):
            return decompress(body, limit)
        for magic, make in _COMPRESSED:
            if body.startswith(magic):
                decompressor = make()
                found = decompressor.decompress(body, limit + 1)
                if len(found) > limit:
                    raise OversizeError(f"over the limit of {limit} bytes when it is decompressed")
                if not decompressor.eof:
                    raise MessageError("the compressed message is cut off")
                return found
    except CompressionError as error:
        raise MessageError(f"the message is {error}") from None
    except (zlib.error, lzma.LZMAError, OSError):
        raise MessageError("the message cannot be decompressed") from None
    return body
