"""One request to an ASGI application, without a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The application's answer."""

    status: int
    headers: dict[str, str]
    body: Any


async def ask(
    app: Any,
    method: str,
    path: str,
    body: AsyncIterator[bytes] | bytes = b"",
    headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
    client: str = "203.0.113.7",
) -> Answer:
    """Send a request with its body as it is, and return the answer, JSON parsed. A list may repeat a header."""
    if not isinstance(headers, list):
        headers = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    pieces = body if isinstance(body, AsyncIterator) else _whole(body)
    path, _, query = path.partition("?")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        piece = await anext(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "scheme": "http", "server": ("test", 80), "client": (client, 4711),
        "headers": headers,
    }  # fmt: skip
    await app(scope, receive, send)
    start, *rest = sent
    whole = b"".join(event.get("body", b"") for event in rest)
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, json.loads(whole))


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
