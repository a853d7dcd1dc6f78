"""A fake OpenAI upstream on loopback. The model's name selects its behaviour.

``fast``; ``slow-2.5`` answers after 2.5 s; ``status-500`` fails with that status, echoing the prompt; ``hang-8``
answers after 8 s; ``drip-0.5-20`` streams 20 chunks, one every 0.5 s; ``stall-5`` streams a chunk, waits 5 s, and
ends; ``unpriced`` and ``fake`` name an answering model without a known price.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import Any

_REASON = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 500: "Internal Server Error"}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection until it closes."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
            )
            body = json.loads(await reader.readexactly(length) or b"{}")
            await answer(body, writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    """Behave as the model's name says."""
    mode, *numbers = str(request.get("model", "fast")).split("-")
    if mode == "status":
        messages = json.dumps(request.get("messages"))
        send(
            writer, int(numbers[0]), {"error": {"message": f"upstream trouble: {messages}", "type": "x", "code": None}}
        )
    elif request.get("stream"):
        await stream(mode, [float(number) for number in numbers], writer)
    else:
        await asyncio.sleep(float(numbers[0]) if numbers else 0)
        message = {"role": "assistant", "content": "Hello"}
        content = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": {"unpriced": "nobody-prices-this", "fake": "fake"}.get(mode, "gpt-4o"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
        send(writer, 200, content)


def send(writer: asyncio.StreamWriter, status: int, content: object) -> None:
    """Send one JSON answer."""
    body = json.dumps(content).encode()
    reason = _REASON.get(status, "Trouble")
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def stream(mode: str, numbers: list[float], writer: asyncio.StreamWriter) -> None:
    """Send chunks as server-sent events."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    pause, count = (numbers[0], int(numbers[1])) if mode == "drip" else (0.0, 2)
    for index in range(count):
        delta = {
            "index": 0,
            "delta": {"content": f"word{index} "},
            "finish_reason": "stop" if index == count - 1 else None,
        }
        event(
            writer, {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [delta]}
        )
        await writer.drain()
        await asyncio.sleep(numbers[0] if mode == "stall" and index == 0 else pause)
    for piece in (b"data: [DONE]\n\n", b""):
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


def event(writer: asyncio.StreamWriter, content: object) -> None:
    """Send one server-sent event as one chunk."""
    piece = f"data: {json.dumps(content)}\n\n".encode()
    writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


async def main(port: int, certificate: str | None = None) -> None:
    """Serve until killed, with TLS if there is a certificate with its key."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2_000, ssl=context)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
