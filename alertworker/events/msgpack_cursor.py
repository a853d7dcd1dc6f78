"""A cursor over msgpack that skips values instead of building them, as `JsonCursor` does for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

import msgpack

from alertworker.events.base import MAX_EVENTS
from alertworker.events.json_cursor import MAX_CONTAINERS, MAX_SCALAR, CursorError
from alertworker.events.msgpack_events import as_json
from alertworker.events.msgpack_values import MsgpackError, TooManyValuesError, walk

#: The maximum length of a key that is read, in bytes.
_MAX_KEY: Final = 64
#: How much of a body the unpacker reads at a time, in bytes.
_PIECE: Final = 64 * 1024
_TOO_MANY: Final = f"the message has more than {MAX_CONTAINERS} values; send smaller batches"
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
        #: How many values may still be counted in events.
        self._left = MAX_CONTAINERS
        self._start_at(0)

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

    def scalar(self) -> object:
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
            found += b"," if number else b""
            found += self._event(start, end)
            if len(found) > self._limit:
                raise CursorError(f"the events have more than {self._limit} bytes of JSON; send smaller batches")
        return bytes(found + b"]")

    def finish(self) -> None:
        """Raise `CursorError` if the body has more data."""
        if self._at() != len(self._body):
            raise CursorError("the message has data after its end")

    def _start_at(self, at: int) -> None:
        stream = BytesIO(self._body)  # it shares the body's memory
        stream.seek(at)
        self._started = at
        # The unpacker reads the body in pieces, so that it holds no second copy of the body.
        self._unpacker = msgpack.Unpacker(
            stream, raw=False, read_size=min(_PIECE, len(self._body) or 1), max_buffer_size=max(len(self._body), 1)
        )

    def _at(self) -> int:
        return self._started + int(self._unpacker.tell())

    def _first(self) -> int:
        at = self._at()
        return self._body[at] if at < len(self._body) else -1

    def _span(self) -> tuple[int, int]:
        """Skip one value; return where it begins and ends."""
        start = self._at()
        try:
            self._unpacker.skip()
        except msgpack.OutOfData:
            raise CursorError("the message is cut off") from None
        except (msgpack.StackError, msgpack.FormatError):  # the value nests too deep, or has a byte without a meaning
            return start, self._walk(start)
        return start, self._at()

    def _walk(self, start: int) -> int:
        """Skip the value at ``start`` as `msgpack` cannot; return its end."""
        try:
            end, counted = walk(self._body, start, self._left)
        except TooManyValuesError:
            raise CursorError(_TOO_MANY) from None
        except MsgpackError:
            raise CursorError("the message is cut off") from None
        self._left -= counted
        self._start_at(end)
        return end

    def _event(self, start: int, end: int) -> bytes:
        try:
            found, counted = as_json(self._body[start:end], self._left)
        except TooManyValuesError:
            raise CursorError(_TOO_MANY) from None
        self._left -= counted
        if self._left < 0:
            raise CursorError(_TOO_MANY)
        return found
