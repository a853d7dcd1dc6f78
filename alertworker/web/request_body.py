"""Bodies of requests, counted while they are read and while they are decompressed, one by one and all together."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import zstandard
from starlette.requests import ClientDisconnect, Request

from alertworker.web.errors import Refusal

#: How long a client may take to send a body, in seconds.
READ_SECONDS: Final = 30.0
#: How much of the bodies of all requests together is in memory at once, in bytes.
ROOM_BYTES: Final = 128 * 1024 * 1024
_STEP: Final = 64 * 1024
#: So much of zstd is decompressed at a time, in bytes: it becomes some 30 MiB at the worst.
_SIP: Final = 1024


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
        Refusal: 413, 415 for an encoding we do not know, 400 for a body that is not what its header says.
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
    whole, rest = bytearray(), body
    try:
        while rest and len(whole) <= limit:
            member = zlib.decompressobj(wbits=31)
            while not member.eof and len(whole) <= limit:
                piece = member.decompress(rest, _STEP)
                rest = member.unconsumed_tail
                if not piece and not rest and not member.eof:
                    raise Refusal(400, "the body is cut short: it is not whole gzip")
                whole += piece
            rest = member.unused_data
    except zlib.error:
        raise Refusal(400, "the body is not gzip, as its Content-Encoding says") from None
    return bytes(whole)


def _unzstd(body: bytes, limit: int) -> bytes:
    whole, rest = bytearray(), memoryview(body)
    try:
        while rest and len(whole) <= limit:
            frame = zstandard.ZstdDecompressor().decompressobj()
            while rest and not frame.eof and len(whole) <= limit:
                whole += frame.decompress(rest[:_SIP])
                rest = rest[_SIP:]
            if not frame.eof and len(whole) <= limit:
                raise Refusal(400, "the body is cut short: it is not whole zstd")
            rest = memoryview(frame.unused_data + bytes(rest)) if frame.unused_data else rest
    except zstandard.ZstdError:
        raise Refusal(400, "the body is not zstd, as its Content-Encoding says") from None
    return bytes(whole)
