"""A refused request takes bounded time and memory, and the answer has a Retry-After."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from alertworker.errors import BrokerUnavailable
from alertworker.events import Event
from alertworker.events.batch import SEALED_TYPE, SealedBatch
from alertworker.integrations.litellm.outgoing import outgoing_json
from alertworker.web import broker_queue as outboxes
from alertworker.web import decoders, events
from alertworker.web import request_body as bodies
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.context import Context
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext
from alertworker.web.request_body import MemoryBudget
from tests.asgi import Answer, ask

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC).isoformat()
EVENT = json.dumps({"type": "llm.request.succeeded", "call_id": "1", "started_at": NOW, "ended_at": NOW}).encode()
KEY = {"Authorization": "Bearer key"}
SEALED = {
    **KEY, "Content-Type": SEALED_TYPE, "Alertworker-Batch-Id": "0d4bb8b3-6f5e-4a55-9b5e-2f0c4a2d9c11",
    "Alertworker-Sealed-At": NOW, "Alertworker-Count": "1",
}  # fmt: skip
PATHS = ["/v1/events", "/integrations/litellm/slack", "/integrations/litellm/webhook"]


class Broker:
    """Takes batches while ``gate`` is open."""

    def __init__(self) -> None:
        self.batches: list[SealedBatch] = []
        self.entered, self.gate = threading.Event(), threading.Event()

    def send(self, batch: SealedBatch) -> None:
        """Wait, and take it."""
        self.entered.set()
        self.gate.wait()
        self.batches.append(batch)


def web(send: Callable[[SealedBatch], None], room: int = 1_000_000) -> tuple[Any, Context]:
    """Return an application that hands its batches to ``send``."""
    context = Context(
        keys=Keys(publish="key", admin=None),
        broker_queue=BrokerQueue(send),
        health=cast("CachedHealth", None),
        pages=cast("PageContext", None),
        try_service=lambda _service, _now: (),
        room=MemoryBudget(room),
    )
    return build_app(context), context


async def post(
    app: Any, body: AsyncIterator[bytes] | bytes = EVENT, path: str = PATHS[0], client: str = "203.0.113.7"
) -> Answer:
    """Post a body with the key."""
    return await ask(app, "POST", path, body, KEY, client)


async def until(event: threading.Event) -> None:
    """Wait for a thread, and let the others run."""
    await asyncio.to_thread(event.wait)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """So is a slow body, and its memory is free again."""
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.05)
    app, context = web(lambda _batch: None)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    answer = asyncio.run(post(app, dripping(), path))
    assert (answer.status, "did not arrive" in answer.body["error"]) == (408, True)
    assert context.room.left == 1_000_000
    context.broker_queue.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("length", ["8388609", "9" * 5_000])
def test_a_body_that_is_announced_as_too_large_is_not_read(path: str, length: str) -> None:
    """Before, it was received up to the limit, for 30 s, and other bodies had less room."""
    app, context = web(lambda _batch: None)
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b" ")
        yield b" "

    answer = asyncio.run(ask(app, "POST", path, body(), KEY | {"Content-Length": length}))
    assert (answer.status, "over the limit of" in answer.body["error"], read) == (413, True, [])
    context.broker_queue.close()


def test_two_encodings_are_refused_in_one_header_or_in_two() -> None:
    """Only the first header was read."""
    app, context = web(lambda _batch: None)
    scope_headers = [(b"authorization", b"Bearer key"), (b"content-encoding", b"gzip"), (b"content-encoding", b"gzip")]
    answer = asyncio.run(ask(app, "POST", PATHS[0], gzip.compress(EVENT), headers=scope_headers))
    assert (answer.status, answer.body["error"]) == (415, "Content-Encoding must be gzip, zstd or identity")
    context.broker_queue.close()


def test_work_for_a_request_that_was_answered_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is free for the next body at once. Before, it searched the rest for secrets, for some seconds."""
    monkeypatch.setattr(decoders, "DECODE_SECONDS", 0.2)
    searched, more = threading.Semaphore(0), threading.Semaphore(1)

    def search(event: Event) -> bytes:
        searched.release()
        more.acquire()
        return outgoing_json(event)

    monkeypatch.setattr(events, "outgoing_json", search)
    app, context = web(lambda _batch: None)
    body = b"[" + b",".join([EVENT] * 100) + b"]"
    answer = asyncio.run(post(app, body))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    for _ in range(100):
        more.release()
    context.decoders.close()
    assert sum(searched.acquire(blocking=False) for _ in range(100)) == 2
    context.broker_queue.close()


def test_bodies_of_all_requests_share_one_room() -> None:
    """While one is dealt with, another that does not fit beside it may come again in a second; then it fits."""
    broker = Broker()
    app, context = web(broker.send, room=len(EVENT) + 10)

    async def act() -> tuple[Answer, Answer, Answer]:
        first = asyncio.create_task(post(app))
        await until(broker.entered)
        refused = await post(app)
        broker.gate.set()
        return await first, refused, await post(app)

    first, refused, later = asyncio.run(act())
    assert (first.status, refused.status, later.status) == (202, 429, 202)
    assert refused.headers["retry-after"] == "1"
    assert context.room.left == len(EVENT) + 10
    context.broker_queue.close()


def test_more_batches_than_may_wait_are_refused_and_none_of_them_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers' own batches, too."""
    monkeypatch.setattr(outboxes, "MAX_WAITING", 2)
    broker = Broker()
    app, context = web(broker.send)

    async def act() -> list[Answer]:
        batch = SealedBatch("b", "test", datetime.now(UTC), 1, EVENT)
        waiting = [asyncio.create_task(context.broker_queue.put(batch)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = [await post(app), await ask(app, "POST", PATHS[0], b"x", SEALED)]
        broker.gate.set()
        await asyncio.gather(*waiting)
        return refused

    refused = asyncio.run(act())
    assert [(answer.status, answer.headers["retry-after"]) for answer in refused] == [(429, "1")] * 2
    assert len(broker.batches) == 2
    context.broker_queue.close()


def test_a_missing_confirmation_of_the_broker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request behind the hanging one is not sent after its client got an error."""
    monkeypatch.setattr(outboxes, "SEND_SECONDS", 0.1)
    broker = Broker()
    app, context = web(broker.send)

    async def act() -> list[Answer]:
        return await asyncio.gather(*(post(app, path=path) for path in PATHS))

    answers = asyncio.run(act())
    assert [(answer.status, answer.headers["retry-after"]) for answer in answers] == [(503, "5")] * 3
    broker.gate.set()
    context.broker_queue.close()
    assert len(broker.batches) == 1


def test_a_broker_that_is_away_is_not_asked_by_everyone() -> None:
    """For half a second its absence is known."""
    asked = []

    def send(batch: SealedBatch) -> None:
        asked.append(batch)
        raise BrokerUnavailable("the broker cannot be reached")

    app, context = web(send)

    async def act() -> list[Answer]:
        return await asyncio.gather(*(post(app) for _ in range(20)))

    answers = asyncio.run(act())
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "2")}
    assert len(asked) == 1
    context.broker_queue.close()
