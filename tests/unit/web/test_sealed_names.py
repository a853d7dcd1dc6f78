"""The bound on distinct names in sealed batches over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from alertworker.events.batch import decode
from alertworker.events.compression import compress, decompress
from alertworker.web.app import build_app
from alertworker.web.cardinality import CardinalityBound
from alertworker.web.errors import Refusal
from alertworker.web.event_rate import EventRate
from alertworker.web.sealed_names import bound_batch
from tests.asgi import ask
from tests.unit.web.test_bounds import KEY, NOW, PATHS, SEALED, Broker, post, web

ADDRESS = "203.0.113.7"
LARGE = 1024 * 1024 * 3


def event(number: int, **fields: Any) -> dict[str, Any]:
    """Return a failed call with made-up names, as JSON."""
    return {
        "type": "llm.request.failed", "call_id": str(number), "started_at": NOW, "ended_at": NOW,
        "team_id": f"t{number}", "tags": [f"a{number}", f"b{number}"],
        "failed_on": [{"deployment_id": f"d{number}"}],
        "failure": {"error_class": f"Error{number}", "message": "m", "origin": "provider"},
    } | fields  # fmt: skip


def sealed(*events: Any, space: int = 0) -> bytes:
    """Return a compressed batch. With more ``space`` it is too large to be parsed at once."""
    return compress(b"[" + b" " * space + b",".join(json.dumps(one).encode() for one in events) + b"]")


def bounded(body: bytes, most: int = 2, charge: Callable[[int], None] = lambda _count: None) -> tuple[bytes, int]:
    bound = partial(CardinalityBound(most).bound_json, address=ADDRESS, now=0)
    return bound_batch(body, bound=bound, charge=charge)


@pytest.mark.parametrize("space", [0, LARGE])
def test_values_above_the_bound_become_one(space: int) -> None:
    """A field that a newer publisher adds stays, also in an event that changes."""
    body, replaced = bounded(sealed(*map(event, range(3)), event(0, newer={"n": 1e300}), space=space))
    found = json.loads(decompress(body, LARGE * 2))

    assert [one["team_id"] for one in found] == ["t0", "t1", "(other)", "t0"]
    assert [one["failure"]["error_class"] for one in found] == ["Error0", "Error1", "(other)", "Error0"]
    assert [one["failed_on"][0]["deployment_id"] for one in found] == ["d0", "d1", "(other)", "d0"]
    assert [one["tags"] for one in found] == [["a0", "b0"], ["(other)"], ["(other)"], ["a0", "b0"]]
    assert found[3] == event(0, newer={"n": 1e300})
    assert replaced == 7
    assert len(decode(body, "zstd").events) == 4


@pytest.mark.parametrize("space", [0, LARGE])
def test_a_batch_below_the_bound_stays_the_same_bytes(space: int) -> None:
    body = sealed(*map(event, range(3)), space=space)
    assert bounded(body, 100) == (body, 0)


@pytest.mark.parametrize("body", [b"x", compress(b"{}"), compress(b"[1"), compress(b"[" + b"1," * 9_000 + b"1]")])
def test_a_batch_that_cannot_be_read_is_left_to_the_worker(body: bytes) -> None:
    assert bounded(body) == (body, 0)


def test_an_invalid_event_does_not_hide_the_others() -> None:
    """The worker rejects it alone, with its bytes."""
    events = [json.dumps(event(number)).encode() for number in range(3)]
    body, replaced = bounded(compress(b"[%b]" % b",".join([b'{"a":NaN}', b'"\\ud800"', b"7", *events])))

    assert replaced > 0
    found = decode(body, "zstd")
    assert [one.team_id for one in found.events] == ["t0", "t1", "(other)"]  # type: ignore[attr-defined]
    assert [one.payload for one in found.rejected] == [b'{"a":NaN}', b'"\\ud800"', b"7"]


def test_plain_and_sealed_events_share_the_bound_and_the_charge_counts_all_events() -> None:
    """The second address has its own bound. The header states one event, and the rate counts 600."""
    broker = Broker()
    broker.gate.set()
    context = replace(web(broker.send)[1], names=CardinalityBound(2), event_rate=EventRate(1))
    app = build_app(context)

    async def send() -> list[int]:
        plain = [(await post(app, json.dumps(event(number)).encode())).status for number in range(2)]
        batch = sealed(*(event(number % 3) for number in range(600)))
        first = await ask(app, "POST", PATHS[0], batch, SEALED, ADDRESS)
        second = await ask(app, "POST", PATHS[0], sealed(event(9)), SEALED, "198.51.100.1")
        late = await ask(app, "POST", PATHS[0], json.dumps(event(0)).encode(), KEY, ADDRESS)
        return [*plain, first.status, second.status, late.status]

    assert asyncio.run(send()) == [202, 202, 202, 202, 429]
    teams = [{getattr(one, "team_id", None) for one in decode(batch.body, "zstd").events} for batch in broker.batches]
    assert teams == [{"t0"}, {"t1"}, {"t0", "t1", "(other)"}, {"t9"}]


def test_a_large_batch_is_not_read_after_its_request_was_answered() -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Refusal):
        bound_batch(sealed(event(0), space=LARGE), stopped, bound=lambda _event: 0, charge=lambda _count: None)
