"""A cursor over JSON that skips values instead of building them.

Only the requested values become Python objects. A skipped value costs no memory, however large it is. It is not
validated either, except that its brackets and quotes must close and its depth is limited.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Final

from pydantic_core import from_json

from alertworker.errors import AlertWorkerError
from alertworker.events.json_items import MAX_DEPTH, TO_BRACKET, skip_space

#: The maximum number of arrays and objects in a body. Each bracket costs one step of a loop, also in a skipped value.
MAX_CONTAINERS: Final = 1_000_000
#: The maximum length of a scalar that is read, in bytes.
MAX_SCALAR: Final = 1024 * 1024
#: The maximum length of a key that is read, in bytes.
_MAX_KEY: Final = 64
#: The maximum number of kombu's typed values in the events.
_MAX_TYPED: Final = 50_000
#: A string is unescaped in pieces of at least this many bytes. Python stores a whole string with 4 bytes for each
#: character if one of them is an emoji. A piece of more than 4 times as many bytes is refused.
_PIECE: Final = 1024 * 1024
#: The maximum size of the events in a string, in bytes: a batch of the maximum size, and 1 MiB.
_MAX_TEXT: Final = 33 * 1024 * 1024
#: The bytes before which a JSON string can be cut: none is part of an escape sequence or of a multi-byte character.
_CUT: Final = re.compile(rb"[ ,:\[\]{}]")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PLAIN: Final = re.compile(rb'[^\s",:\[\]{}]++')
_EMPTY: Final = re.compile(rb"null|\[[ \t\r\n]*+\]")
#: kombu's form of types that JSON lacks. pydantic reads the plain values.
_TYPED: Final = re.compile(
    rb'\{\s*+"__type__"\s*+:\s*+"(?:datetime|date|time|decimal|uuid)"\s*+,\s*+"__value__"\s*+:\s*+'
    rb'(?:("[^"\\]*+")|\{\s*+"hex"\s*+:\s*+("[^"\\]*+")\s*+\})\s*+\}'
)


class CursorError(AlertWorkerError):
    """A body is not what the cursor expects next, or exceeds a bound. The error repeats no content."""


class JsonCursor:
    """Steps through one JSON body. The loop over `items` or `keys` must consume each value exactly once."""

    def __init__(self, body: bytes) -> None:
        if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
            raise CursorError("the message has too many values; send smaller batches")
        self._body = body
        self._at = skip_space(body, 0)

    def is_array(self) -> bool:
        """Return whether the next value is an array."""
        return self._next() == b"["

    def is_map(self) -> bool:
        """Return whether the next value is an object."""
        return self._next() == b"{"

    def items(self) -> Iterator[None]:
        """Step into an array, and stop before each of its values."""
        yield from self._members(b"[", b"]")

    def keys(self) -> Iterator[str]:
        """Step into an object, and stop before each of its values with the value's key; a long key becomes empty."""
        for _ in self._members(b"{", b"}"):
            start, end = self._string()
            self._expect(b":")
            yield from_json(self._body[start:end]) if end - start <= _MAX_KEY else ""

    def skip(self) -> None:
        """Skip one value."""
        self._span()

    def skip_empty(self) -> bool:
        """Skip one value; return whether it is null or an empty array."""
        start, end = self._span()
        return _EMPTY.fullmatch(self._body, start, end) is not None

    def scalar(self) -> object:
        """Read one value: a number, a string, true, false or null. An array or an object becomes an empty tuple."""
        is_container = self._next() in (b"[", b"{")
        start, end = self._span()
        if end - start > MAX_SCALAR:
            raise CursorError(f"a value of the message has more than {MAX_SCALAR} bytes")
        if not is_container:
            return from_json(self._body[start:end])
        typed = _TYPED.fullmatch(self._body, start, end)
        return from_json(typed[1] or typed[2]) if typed else ()

    def events(self) -> bytes:
        """Return the bytes of an array as they are, or the bytes in a string or in kombu's form of bytes."""
        if self.is_map():
            return self._encoded()
        if self._next() == b'"':
            return self._text(*self._string())
        if not self.is_array():
            raise CursorError("events must be a JSON array, as a list, a string or bytes")
        start, end = self._span(most=MAX_CONTAINERS)  # an event that is too deep is rejected alone
        found = self._body[start:end]
        if b'"__type__"' not in found:
            return found
        if found.count(b'"__type__"') > _MAX_TYPED:
            raise CursorError("the events have too many typed values; send smaller batches")
        return _TYPED.sub(rb"\1\2", found)

    def finish(self) -> None:
        """Raise `CursorError` if the body has more data."""
        if self._at != len(self._body):
            raise CursorError("the message has data after its end")

    def _encoded(self) -> bytes:
        """Return the bytes in kombu's form of bytes: base64, or text."""
        encoding, value = None, None
        for key in self.keys():
            if key == "__type__":
                encoding = self.scalar()
            elif key == "__value__" and self._next() == b'"':
                value = self._string()
            else:
                raise CursorError("events must be a JSON array, as a list, a string or bytes, not an object")
        if encoding is None or value is None:
            raise CursorError("events must be a JSON array, as a list, a string or bytes, not an object")
        start, end = value
        if encoding == "base64":
            return b64decode(self._body[start + 1 : end - 1].replace(b"\\", b""), validate=True)
        return self._text(start, end)

    def _text(self, start: int, end: int) -> bytes:
        """Return the UTF-8 bytes of a string."""
        found, at, end = bytearray(), start + 1, end - 1
        while at < end:
            cut = _CUT.search(self._body, min(at + _PIECE, end), end)
            stop = cut.start() if cut else end
            if stop - at > 4 * _PIECE:
                raise CursorError(f"the events' text has more than {4 * _PIECE} bytes without a separator")
            piece = b'"%b"' % self._body[at:stop]
            try:
                found += from_json(piece).encode()
            except ValueError:
                found += _damaged(piece)
            if len(found) > _MAX_TEXT:
                raise CursorError(f"the events have more than {_MAX_TEXT} bytes of JSON; send smaller batches")
            at = stop
        return bytes(found)

    def _members(self, opening: bytes, closing: bytes) -> Iterator[None]:
        self._expect(opening)
        if self._next() == closing:
            self._move(self._at + 1)
            return
        while True:
            yield
            if self._next() == closing:
                self._move(self._at + 1)
                return
            self._expect(b",")

    def _span(self, most: int = MAX_DEPTH) -> tuple[int, int]:
        """Skip one value that nests at most ``most`` levels. Return its start and end."""
        start = self._at
        if self._next() in (b"[", b"{"):
            end = self._close(start, most)
        elif self._next() == b'"':
            return self._string()
        else:
            plain = _PLAIN.match(self._body, start)
            if plain is None:
                raise CursorError("the message is not valid JSON")
            end = plain.end()
        self._move(end)
        return start, end

    def _string(self) -> tuple[int, int]:
        found = _STRING.match(self._body, self._at)
        if found is None:
            raise CursorError("the message is cut off, or is not valid JSON")
        self._move(found.end())
        return found.span()

    def _close(self, at: int, most: int) -> int:
        """Return the end of the array or object at ``at``. It nests at most ``most`` levels."""
        body, depth = self._body, 0
        while True:
            mark = body[at : at + 1]
            if mark not in (b"[", b"{", b"]", b"}") or not mark:
                raise CursorError("the message is cut off")
            depth += 1 if mark in (b"[", b"{") else -1
            at += 1
            if depth == 0:
                return at
            if depth > most:
                raise CursorError(f"the message nests deeper than {most} levels")
            found = TO_BRACKET.match(body, at)
            at = found.end() if found else at

    def _next(self) -> bytes:
        return self._body[self._at : self._at + 1]

    def _move(self, at: int) -> None:
        self._at = skip_space(self._body, at)

    def _expect(self, mark: bytes) -> None:
        if self._next() != mark:
            raise CursorError("the message is cut off, or is not valid JSON")
        self._move(self._at + 1)


#: The halves of surrogate pairs that only an escape sequence can make, with the three bytes that they would have in
#: UTF-8. The others (U+DC80 to U+DCFF), and these bytes, are in Python's form of bytes that are not UTF-8.
_HALVES: Final = {
    chr(half): chr(half).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    for half in (*range(0xD800, 0xDC80), *range(0xDD00, 0xE000))
}
_HALF: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def _damaged(string: bytes) -> bytes:
    """Return the bytes in a JSON string that has invalid UTF-8 or half of a surrogate pair.

    Both become bytes that are not UTF-8, so the batch rejects only the event that contains them.
    """
    text = str(json.loads(string.decode("utf-8", "surrogateescape"), strict=False))
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _HALF.sub(lambda half: _HALVES[half[0]], text).encode("utf-8", "surrogateescape")
