"""Bodies of requests, counted while they are read and while they are decompressed, one by one and all together."""

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
#: How much of the bodies of all requests together is in memory at once, in bytes.
ROOM_BYTES: Final = 128 * 1024 * 1024
#: The most gzip members of one body, empty ones included: a client makes one, or one each time it flushes a file.
MAX_MEMBERS: Final = 16
#: How much is decompressed at a time, in bytes.
_STEP: Final = 64 * 1024


@dataclass(slots=True)
class Room:
    """Memory that all requests share; ``left`` is in bytes. Only the event loop's thread touches it."""

    left: int = ROOM_BYTES

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Read a body of ``limit`` bytes at the most, and keep its room until it was dealt with.

        Raises:
            Refusal: 413 for a longer one, 429 when others fill the room, 408 for one that does not come.
        """
        taken = 0
        body = bytearray()
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for piece in request.stream():
                    if len(body) + len(piece) > limit:
                        raise Refusal(413, f"a body may have {limit} bytes; send less at a time")
                    if len(piece) > self.left:
                        raise Refusal(429, "too much is being received at once; send again later", retry_after=1)
                    self.left -= len(piece)
                    taken += len(piece)
                    body += piece
            yield bytes(body)
        except TimeoutError:
            raise Refusal(408, f"the body did not come within {READ_SECONDS:g} s") from None
        except ClientDisconnect:
            raise Refusal(400, "the body ended early") from None
        finally:
            self.left += taken


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo ``Content-Encoding``; the whole body must be of it, and have ``limit`` bytes at the most afterwards.

    Raises:
        Refusal: 413 over a bound, 415 for an encoding we do not know, 400 for a body that is not what its header says.
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
        raise Refusal(413, f"a body may have {limit} bytes when it is decompressed; send less at a time")
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
        raise Refusal(413, f"a body may have {MAX_MEMBERS} gzip members; compress it as one")
    return bytes(whole)


def _member(body: memoryview, start: int, whole: bytearray, limit: int) -> int:
    """Append the content of the gzip member that begins at ``start``, as far as the limit; return where it ends."""
    member = zlib.decompressobj(wbits=31)
    try:
        while not member.eof and len(whole) <= limit:
            if start == len(body) and not member.unconsumed_tail:
                raise Refusal(400, "the body is cut short: it is not whole gzip")
            step: bytes | memoryview = member.unconsumed_tail
            if not step:
                step = body[start : start + _STEP]
                start += len(step)
            whole += member.decompress(step, _STEP)
    except zlib.error:
        raise Refusal(400, "the body is not gzip, as its Content-Encoding says") from None
    return start - len(member.unused_data)


def _unzstd(body: bytes, limit: int) -> bytes:
    try:
        return compression.decompress(body, limit) if body else b""
    except OversizeError as error:
        raise Refusal(413, f"the body is {error}; send less at a time") from None
    except CompressionError as error:
        raise Refusal(400, f"the body is {error}") from None
