"""The process answers other requests while it searches the largest bodies for secrets."""

from __future__ import annotations

import asyncio
import json
import time

from alertworker.web.decoders import MAX_DECODING
from alertworker.web.events import MAX_REDACTING
from tests.asgi import ask
from tests.unit.web.test_bounds import EVENT, post, web

BODY_BYTES = 7_000_000
#: Seconds of CPU time to decode, encode and compress a body, without the search.
REST = 2.5


def body_of(text: str, number: int) -> bytes:
    """Return a body of events whose texts are all different, so that no result is used twice."""
    event = json.loads(EVENT)
    events: list[str] = []
    for index in range(BODY_BYTES // 2_100):
        message = "".join(f"{text}{number}{index}{place} " for place in range(2_000 // (len(text) + 9)))
        failure = {"error_class": "Timeout", "status_code": 504, "origin": "provider", "message": message[:2_000]}
        events.append(json.dumps(event | {"type": "llm.request.failed", "failure": failure}))
    return f"[{','.join(events)}]".encode()


def test_health_is_answered_while_two_large_bodies_are_searched() -> None:
    app, context = web(lambda _batch: None)
    context.room.left = 100_000_000
    bodies = [body_of("sk-aB3dE5gH7jK9mN1pQ3sT api_key=", 1), body_of("https://user:pw@host/x?token=", 2)]
    assert len(bodies) == MAX_DECODING

    async def act() -> tuple[list[int], list[float]]:
        waits: list[float] = []
        asked = [asyncio.create_task(post(app, body, client=f"192.0.2.{number}")) for number, body in enumerate(bodies)]
        while not all(task.done() for task in asked):
            begun = time.monotonic()
            await asyncio.sleep(0.02)
            assert (await ask(app, "GET", "/health/liveliness")).status == 200
            waits.append(time.monotonic() - begun)
        return [task.result().status for task in asked], waits

    begun = time.process_time()
    statuses, waits = asyncio.run(act())
    context.decoders.close()
    context.broker_queue.close()
    assert set(statuses) <= {413, 503}
    assert max(waits) < 3  # 0.3 s on a machine with nothing else to do
    assert time.process_time() - begun < MAX_DECODING * (MAX_REDACTING + REST)
