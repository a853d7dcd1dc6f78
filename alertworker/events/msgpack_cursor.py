"""A cursor over msgpack that skips values instead of building them, as `JsonCursor` does for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import msgpack
from pydantic_core import to_json

from alertworker.events.base import MAX_EVENTS
from alertworker.events.json_cursor import MAX_SCALAR, CursorError

#: The maximum size of an event, in bytes of msgpack: each byte can become an object of 64 bytes.
_MAX_EVENT: Final = 512 * 1024
#: The maximum length of a key that is read, in bytes.
_MAX_KEY: Final = 64
#: nil, and an empty array in each of its forms.
_EMPTY: Final = (b"\xc0", b"\x90", b"\xdc\0\0", b"\xdd\0\0\0\0")
#: The length of the header of bytes and strings, by its first byte.
_HEADERS: Final = {0xC4: 2, 0xC5: 3, 0xC6: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5} | dict.fromkeys(range(0xA0, 0xC0), 1)
_ARRAYS: Final = frozenset({0xDC, 0xDD, *range(0x90, 0xA0)})
_MAPS: Final = frozenset({0xDE, 0xDF, *range(0x80, 0x90)})


class MsgpackCursor:
    """Steps through one msgpack body. ``limit`` is the maximum size of the events as JSON, in bytes."""

    def __init__(self, body: bytes, *, limit: int) -> None:
        self._body, self._limit = body, limit
        # The unpacker reads the body in pieces, so that it holds no second copy of the body.
        self._unpacker = msgpack.Unpacker(BytesIO(body), raw=False, max_buffer_size=max(len(body), 1))

    def is_array(self) -> bool:
        """Return whether the next value is an array."""
        return self._first() in _ARRAYS

    def is_map(self) -> bool:
        """Return whether the next value is a map."""
        return self._first() in _MAPS

    def items(self) -> Iterator[None]:
        """Step into an array, and stop before each of its values."""
        for _ in range(self._unpacker.read_array_header()):
            yield

    def keys(self) -> Iterator[str]:
        """Step into a map, and stop before each of its values with the value's key; a long key becomes empty."""
        for _ in range(self._unpacker.read_map_header()):
            header = _HEADERS.get(self._first())
            start, end = self._span()
            is_known = header is not None and end - start <= _MAX_KEY
            yield self._body[start + header : end].decode() if is_known and header else ""

    def skip(self) -> None:
        """Skip one value."""
        self._span()

    def skip_empty(self) -> bool:
        """Skip one value; return whether it is null or an empty array."""
        start, end = self._span()
        return self._body[start : min(end, start + 6)] in _EMPTY

    def scalar(self) -> Any:
        """Read one value: a number, a string, bytes, true, false or null. An array or a map becomes an empty tuple."""
        is_container = self.is_array() or self.is_map()
        start, end = self._span()
        if is_container:
            return ()
        if end - start > MAX_SCALAR:
            raise CursorError(f"a value of the message has more than {MAX_SCALAR} bytes")
        return msgpack.unpackb(self._body[start:end], raw=False)

    def events(self) -> bytes:
        """Return the next value's bytes: those of bytes and strings as they are, an array as JSON."""
        header = _HEADERS.get(self._first())
        if header is not None:
            start, end = self._span()
            return self._body[start + header : end]
        if not self.is_array():
            raise CursorError("events must be a JSON array, as a list, a string or bytes")
        found = bytearray(b"[")
        for number, _ in enumerate(self.items()):
            start, end = self._span()
            if number >= MAX_EVENTS:
                raise CursorError(f"the batch has more than {MAX_EVENTS} events; send smaller batches")
            if end - start > _MAX_EVENT:
                raise CursorError(
                    f"an event has more than {_MAX_EVENT} bytes of msgpack; send the events as JSON in bytes"
                )
            found += b"," if number else b""
            found += to_json(msgpack.unpackb(self._body[start:end], raw=False), inf_nan_mode="constants")
            if len(found) > self._limit:
                raise CursorError(f"the events have more than {self._limit} bytes of JSON; send smaller batches")
        return bytes(found + b"]")

    def finish(self) -> None:
        """Raise `CursorError` if the body has more data."""
        if self._unpacker.tell() != len(self._body):
            raise CursorError("the message has data after its end")

    def _first(self) -> int:
        start = self._unpacker.tell()
        return self._body[start] if start < len(self._body) else -1

    def _span(self) -> tuple[int, int]:
        """Skip one value; return where it begins and ends."""
        start = self._unpacker.tell()
        try:
            self._unpacker.skip()
        except msgpack.OutOfData:
            raise CursorError("the message is cut off") from None
        return start, self._unpacker.tell()
