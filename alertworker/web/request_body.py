"""Request bodies, read and decompressed within a limit for each body and a limit for all bodies together."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from alertworker.events import compression
from alertworker.events.compression import CompressionError, OversizeError
from alertworker.web.errors import Refusal

#: How long a client may take to send a body, in seconds.
READ_SECONDS: Final = 30.0
#: The memory that the bodies of all requests may use together, in bytes.
ROOM_BYTES: Final = 128 * 1024 * 1024
#: The most gzip members of one body, empty ones included. A client writes one member, or one at each flush of a file.
MAX_MEMBERS: Final = 16
#: How much is decompressed at a time, in bytes.
_STEP: Final = 64 * 1024


@dataclass(slots=True)
class MemoryBudget:
    """Memory that all requests share. ``left`` is in bytes. Only the event loop's thread changes it."""

    left: int = ROOM_BYTES

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Read a body of at most ``limit`` bytes, and hold its memory until the caller is done with it.

        Raises:
            Refusal: 413 if the body is larger, and before it is read if its length is announced; 429 if other bodies
                use the memory; 408 if the body takes too long.
        """
        if _announced(request) > limit:
            raise _too_large(limit)
        taken = 0
        body = bytearray()
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for piece in request.stream():
                    if len(body) + len(piece) > limit:
                        raise _too_large(limit)
                    if len(piece) > self.left:
                        raise Refusal(429, "too many bodies are being received; retry later", retry_after=1)
                    self.left -= len(piece)
                    taken += len(piece)
                    body += piece
            yield bytes(body)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {READ_SECONDS:g} s") from None
        except ClientDisconnect:
            raise Refusal(400, "the body ended early") from None
        finally:
            self.left += taken


def _announced(request: Request) -> int:
    """Return the length of the body that the client announced, 0 if it announced none."""
    announced = request.headers.get("content-length", "")
    return int(announced[:20]) if announced.isascii() and announced.isdigit() else 0


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is over the limit of {limit} bytes; send less at a time")


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body decoded from its ``Content-Encoding``, at most ``limit`` bytes long.

    Raises:
        Refusal: 413 if a limit is exceeded, 415 for an unsupported encoding, 400 if the body does not match its header.
    """
    match encoding.strip().lower():
        case "" | "identity":
            whole = body
        case "gzip" | "x-gzip":
            whole = _gunzip(body, limit)
        case "zstd":
            whole = _unzstd(body, limit)
        case _:
            raise Refusal(415, "Content-Encoding must be gzip, zstd or identity")
    if len(whole) > limit:
        raise Refusal(413, f"the body is over the limit of {limit} bytes when it is decompressed; send less at a time")
    return whole


def _gunzip(body: bytes, limit: int) -> bytes:
    whole, start = bytearray(), 0
    for _ in range(MAX_MEMBERS):
        if start == len(body):
            return bytes(whole)
        start = _member(memoryview(body), start, whole, limit)
        if len(whole) > limit:
            return bytes(whole)
    if start < len(body):
        raise Refusal(413, f"the body has more than {MAX_MEMBERS} gzip members; compress it as one")
    return bytes(whole)


def _member(body: memoryview, start: int, whole: bytearray, limit: int) -> int:
    """Append the content of the gzip member at ``start`` to ``whole``, up to the limit. Return the member's end."""
    member = zlib.decompressobj(wbits=31)
    try:
        while not member.eof and len(whole) <= limit:
            if start == len(body) and not member.unconsumed_tail:
                raise Refusal(400, "the gzip body is incomplete")
            step: bytes | memoryview = member.unconsumed_tail
            if not step:
                step = body[start : start + _STEP]
                start += len(step)
            whole += member.decompress(step, _STEP)
    except zlib.error:
        raise Refusal(400, "the body is not valid gzip, but its Content-Encoding is gzip") from None
    return start - len(member.unused_data)


def _unzstd(body: bytes, limit: int) -> bytes:
    try:
        return compression.decompress(body, limit) if body else b""
    except OversizeError as error:
        raise Refusal(413, f"the body is {error}; send less at a time") from None
    except CompressionError as error:
        raise Refusal(400, f"the body is {error}") from None
