"""The body of a Celery message, read with bounds that its producer cannot move.

A body is JSON or msgpack of the form ``[args, kwargs, embed]`` (Celery's message protocol 2), or a mapping with
``task``, ``id``, ``args`` and ``kwargs`` (protocol 1), plain or compressed as a whole. Its first bytes say which.
Headers do not count, so a body that is kept without its headers is read alike. The events stay bytes here:
`alertworker.events.batch.decode` reads them one by one.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgpack
import zstandard
from pydantic_core import from_json, to_json

from alertworker.errors import AlertWorkerError
from alertworker.events.compression import ZSTD

#: The largest body that is read, in bytes, compressed or not: a batch at its bound, escaped as a string within JSON.
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
#: The largest body without its events, in bytes.
_MAX_REST: Final = 1024 * 1024
#: The most that msgpack may hold in objects instead of bytes: each byte can become an object of 64 bytes.
_MAX_OBJECTS: Final = 8 * 1024 * 1024
#: How many arrays and objects a JSON body may hold, and how many more values.
_MAX_CONTAINERS: Final = 2_000_000
_MAX_COMMAS: Final = 8_000_000

_T = TypeVar("_T")


class MessageError(AlertWorkerError):
    """A message cannot be read as a call of a task. The text names no content of it."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a message asks for. ``task`` and ``id`` are in the body of protocol 1 only; ``events`` are bytes."""

    arguments: dict[str, Any]
    task: object = None
    id: object = None


def read_message(body: bytes) -> Call:
    """Read a message's body.

    Raises:
        MessageError: the body is not a call, has positional arguments, or is too large, too deep or cut off.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageError(f"a message of {len(body)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    try:
        whole = _decompressed(body)
        return _read_json(whole) if whole.lstrip()[:1] in (b"[", b"{") else _read_msgpack(whole)
    except MessageError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library raises for these bytes, they must come to an end
        # The libraries' own texts may repeat the input.
        raise MessageError(f"the message cannot be decoded ({type(error).__name__})") from None


def _call(found: Any) -> Call:
    if isinstance(found, list) and len(found) in (2, 3):
        args, arguments, task, name = found[0], found[1], None, None
    elif isinstance(found, dict):
        args, arguments, task, name = found.get("args"), found.get("kwargs"), found.get("task"), found.get("id")
    else:
        raise MessageError("the message is not [args, kwargs, embed]; see docs/events.md")
    if args:
        raise MessageError("the message has positional arguments; send keyword arguments only")
    if not isinstance(arguments, dict):
        raise MessageError("the message's keyword arguments must be an object")
    if "events" in arguments:
        arguments["events"] = _as_bytes(arguments["events"])
    return Call(arguments, task, name)


def _as_bytes(events: object) -> bytes:
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode()
    if isinstance(events, dict) and events.keys() == {"__type__", "__value__"}:  # kombu's JSON of bytes
        text = str(events["__value__"]).encode()
        return b64decode(text, validate=True) if events["__type__"] == "base64" else text
    if isinstance(events, list):
        return to_json(events, inf_nan_mode="constants")
    raise MessageError(f"events must be a JSON array, as a list, text or bytes, not {type(events).__name__}")


#: What begins a compressed body, and what decompresses it. Neither JSON nor msgpack begins so.
_COMPRESSED: Final[tuple[tuple[bytes, Callable[[], Any]], ...]] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (b"x", zlib.decompressobj),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 * 1024 * 1024)),
)


def _decompressed(body: bytes) -> bytes:
    try:
        if body.startswith(ZSTD):
            with zstandard.ZstdDecompressor().stream_reader(body) as reader:
                return _bounded(reader.read(MAX_MESSAGE_BYTES + 1))
        for magic, make in _COMPRESSED:
            if body.startswith(magic):
                decompressor = make()
                found = _bounded(decompressor.decompress(body, MAX_MESSAGE_BYTES + 1))
                if not decompressor.eof:
                    raise MessageError("the compressed message is cut off")
                return found
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError):
        raise MessageError("the message cannot be decompressed") from None
    return body


def _bounded(found: bytes) -> bytes:
    if len(found) > MAX_MESSAGE_BYTES:
        raise MessageError(f"the message is over the limit of {MAX_MESSAGE_BYTES} bytes when it is decompressed")
    return found


#: Everything up to the next bracket that is not within a string. Possessive, so that it never goes back.
_NO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_EVENTS: Final = re.compile(rb'"events"\s*+:\s*+(?=\[)')
#: How kombu writes what JSON has no form for. Pydantic reads the plain values.
_TYPED: Final = re.compile(
    rb'\{\s*+"__type__"\s*+:\s*+"(?:datetime|date|time|decimal|uuid)"\s*+,\s*+"__value__"\s*+:\s*+'
    rb'(?:("[^"\\]*+")|\{\s*+"hex"\s*+:\s*+("[^"\\]*+")\s*+\})\s*+\}'
)


def _read_json(body: bytes) -> Call:
    if body.count(b"[") + body.count(b"{") > _MAX_CONTAINERS or body.count(b",") > _MAX_COMMAS:
        raise MessageError("the message has too many values; send smaller batches")
    if b'"__type__"' in body:
        body = _TYPED.sub(rb"\1\2", body)
    span = _span_of_events(body)
    if span is None:
        return _call(from_json(body))
    start, end = span
    rest = body[:start] + b"null" + body[end:]
    if len(rest) > _MAX_REST:
        raise MessageError(f"the message has more than {_MAX_REST} bytes beside its events")
    found = from_json(rest)
    kwargs = found[1] if isinstance(found, list) and len(found) > 1 else found.get("kwargs")
    if not isinstance(kwargs, dict) or kwargs.get("events", "") is not None:
        raise MessageError("the message's events are not where they belong; see docs/events.md")
    kwargs["events"] = body[start:end]
    return _call(found)


def _span_of_events(body: bytes) -> tuple[int, int] | None:
    """Return where the array of events begins and ends, without reading it: it may be deep, large or broken.

    In both protocols it is the value of a key two levels down.
    """
    key = _EVENTS.search(body, 0, _MAX_REST)
    if key is None or _depth(body, key.start()) != 2:
        return None
    end = _end(body, key.end())
    return None if end is None else (key.end(), end)


def _depth(body: bytes, end: int) -> int:
    return sum(1 if body[at] in b"[{" else -1 for at in _brackets(body, 0, end))


def _end(body: bytes, start: int) -> int | None:
    depth = 0
    for at in _brackets(body, start, len(body)):
        depth += 1 if body[at] in b"[{" else -1
        if depth == 0:
            return at + 1
    return None


def _brackets(body: bytes, start: int, end: int) -> Iterator[int]:
    """Yield the place of each bracket that is not within a string; stop at a string that does not end."""
    while True:
        found = _NO_BRACKET.match(body, start, end)
        at = found.end() if found else end
        if at >= end or body[at] == ord('"'):
            return
        yield at
        start = at + 1


#: An empty array, in each of its forms, and nil.
_NO_ARGUMENTS: Final = (b"\x90", b"\xdc\0\0", b"\xdd\0\0\0\0", b"\xc0")


def _read_msgpack(body: bytes) -> Call:
    first = body[:1]
    if first in (b"\x92", b"\x93"):
        args, kwargs, *_ = _items(body)
        return _call([_arguments(args), {key: _value(span) for key, span in _pairs(kwargs).items()}])
    if first in (b"\xde", b"\xdf") or b"\x80" <= first <= b"\x8f":
        outer = _pairs(body)
        kwargs = outer.get("kwargs", b"\x80")
        return _call(
            {
                "args": _arguments(outer.get("args", b"\x90")),
                "kwargs": {key: _value(span) for key, span in _pairs(kwargs).items()},
                **{name: _value(outer[name]) for name in ("task", "id") if name in outer},
            }
        )
    raise MessageError("the message is neither JSON nor msgpack")


def _arguments(span: bytes) -> list[None]:
    return [] if span in _NO_ARGUMENTS else [None]


def _items(body: bytes) -> list[bytes]:
    """Return the bytes of each item of a short array, without making objects of them."""
    unpacker = _unpacker(body)
    return _whole([_skipped(unpacker, body) for _ in range(unpacker.read_array_header())], unpacker, body)


def _pairs(body: bytes) -> dict[str, bytes]:
    unpacker = _unpacker(body)
    count = unpacker.read_map_header()
    if count > 64:  # protocol 1 has 20
        raise MessageError("the message has too many keys")
    found = {str(_value(_skipped(unpacker, body))): _skipped(unpacker, body) for _ in range(count)}
    return _whole(found, unpacker, body)


def _unpacker(body: bytes) -> msgpack.Unpacker:
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=len(body) or 1)
    unpacker.feed(body)
    return unpacker


def _whole(found: _T, unpacker: msgpack.Unpacker, body: bytes) -> _T:
    if unpacker.tell() != len(body):
        raise MessageError("the message has data after its end")
    return found


def _skipped(unpacker: msgpack.Unpacker, body: bytes) -> bytes:
    start = unpacker.tell()
    try:
        unpacker.skip()
    except msgpack.OutOfData:
        raise MessageError("the message is cut off") from None
    return body[start : unpacker.tell()]


def _value(span: bytes) -> Any:
    """Make objects of a value; text and bytes are one object however long they are."""
    is_text = span[:1] in (b"\xc4", b"\xc5", b"\xc6", b"\xd9", b"\xda", b"\xdb") or b"\xa0" <= span[:1] <= b"\xbf"
    if not is_text and len(span) > _MAX_OBJECTS:
        raise MessageError(f"the events are more than {_MAX_OBJECTS} bytes of msgpack; send them as JSON in bytes")
    return msgpack.unpackb(span, raw=False)
