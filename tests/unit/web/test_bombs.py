"""Small bodies that would cost much are refused with a reason, before the work is done."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import tracemalloc
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard

from alertworker.events import batch as batch_module
from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import MAX_REJECTED, SealedBatch, decode
from alertworker.events.compression import compress
from alertworker.web import decoders
from alertworker.web import events as events_module
from alertworker.web.app import build_app
from alertworker.web.errors import Refusal
from alertworker.web.event_rate import BURST, EventRate
from alertworker.web.events import MAX_BYTES, receive
from alertworker.web.request_body import MAX_MEMBERS, decompress
from tests.asgi import ask
from tests.unit.web.test_bounds import EVENT, KEY, PATHS, SEALED, post, web

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIB = 1024 * 1024
#: The head of a gzip member, and a stored block of deflate without content.
GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
NO_OUTPUT = b"\0\0\0\xff\xff"
SKIPPED = b"\x50\x2a\x4d\x18\0\0\0\0"
EMPTY = zlib.compress(b"", wbits=31)
BOMBS: dict[str, tuple[str, bytes, set[int]]] = {
    "blank lines": ("", b"\n" * MAX_BYTES, {413}),
    "carriage returns": ("", b"\r\n" * (MAX_BYTES // 2), {413, 422}),
    "lines": ("", b"1\n" * (MAX_BYTES // 2), {413}),
    "lines of braces": ("", b"{}\n" * 5_000, {422}),
    "lines, compressed": ("zstd", zstandard.compress(b"1\n" * 4_000_000), {413}),
    "lines of brackets": ("", (b"[" * 1_600 + b"\n") * 5_000, {413}),
    "lines of brackets that close": ("", b"1\n" + (b"[" * 200 + b"[]," * 400 + b"]" * 200 + b"\n") * 4_000, {413}),
    "lines that are not too deep": ("", b"1\n" + (b"[" * 100 + b"]" * 100 + b"\n") * 4_999, {422}),
    "half a million ones": ("zstd", zstandard.compress(b"[" + b"1," * 499_999 + b"1]"), {413}),
    "events": ("gzip", gzip.compress(b"[" + b'{"type":"system.canary"},' * MAX_EVENTS + b"{}]"), {413}),
    "open brackets": ("gzip", gzip.compress(b"[" * MAX_BYTES), {413, 422}),
    "empty members": ("gzip", EMPTY * 400_000, {413}),
    "one member too many": ("gzip", EMPTY * MAX_MEMBERS + gzip.compress(EVENT), {413}),
    "members together": ("gzip", gzip.compress(b" " * MIB) * 12, {413}),
    "blocks without output": ("gzip", GZIP + NO_OUTPUT * 1_600_000, {400}),
    "a long name": ("gzip", GZIP[:3] + b"\x08" + GZIP[4:] + b"a" * (MAX_BYTES - 10), {400}),
    "a gzip bomb": ("gzip", gzip.compress(b" " * (64 * MIB)), {413}),
    "empty frames": ("zstd", zstandard.compress(b"") * 500_000, {413}),
    "skippable frames": ("zstd", SKIPPED * 1_000_000, {413}),
    "a zstd bomb": ("zstd", zstandard.compress(b" " * (64 * MIB)), {413}),
    "frames together": ("zstd", zstandard.compress(b" " * MIB) * 12, {413}),
}


@pytest.mark.parametrize(("encoding", "body", "statuses"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_costs_much(
    monkeypatch: pytest.MonkeyPatch, encoding: str, body: bytes, statuses: set[int]
) -> None:
    """In a few times the memory that a body may have, and without looking at each of its events."""
    looked_at = 0
    read = batch_module._read

    def counting(item: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return read(item)

    monkeypatch.setattr(batch_module, "_read", counting)
    monkeypatch.setattr("alertworker.events.json_items.MAX_STEPS", 50_000)
    monkeypatch.setattr("alertworker.events.json_items.STEPS_PER_ITEM", 10)
    tracemalloc.start()
    with pytest.raises(Refusal) as refusal:
        receive(body, encoding, None, now=NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refusal.value.status in statuses
    assert looked_at <= MAX_REJECTED + 1
    assert peak < 4 * MAX_BYTES


def test_as_many_members_as_may_be_are_read_and_blocks_without_output_too() -> None:
    """A client that flushes often sends such."""
    packer = zlib.compressobj(wbits=31)
    flushed = b"".join(packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(3)) + packer.compress(EVENT) + packer.flush()

    assert decompress(gzip.compress(EVENT) + EMPTY * (MAX_MEMBERS - 1), "gzip", MIB) == EVENT
    assert decompress(EMPTY * (MAX_MEMBERS - 1) + flushed, "gzip", MIB) == EVENT
    assert decompress(b"", "gzip", MIB) == decompress(b"", "zstd", MIB) == b""


@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_bad_event_is_named_by_its_own_place(form: str) -> None:
    """Also where a parser gives up on the whole body because of it."""
    bad = [b'{"a":' * 900 + b"1" + b"}" * 900, b'"\\ud800"', b"\xff", b"9" * 10_000, b"NaN"]
    items = [EVENT, *(one for other in bad for one in (other, EVENT))]
    body = b"[" + b",".join(items) + b"]" if form == "array" else b"\n\n".join(items)
    received = receive(body, "", None, now=NOW)

    assert [error["index"] for error in received.errors] == [1, 3, 5, 7, 9]
    assert received.batch is not None
    assert len(decode(received.batch.body, "zstd").events) == 6


def test_few_bodies_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come: the others wait for their turn, in little memory, and get an error if it takes too long."""
    monkeypatch.setattr(decoders, "DECODE_SECONDS", 0.2)
    gate, entered, begun = threading.Event(), threading.Semaphore(0), []

    def slow(*_: Any, **__: Any) -> Any:
        begun.append(1)
        entered.release()
        gate.wait()
        raise Refusal(422, "done")

    monkeypatch.setattr(events_module, "receive", slow)
    app, context = web(lambda _batch: None)

    async def act() -> list[int]:
        asked = [asyncio.create_task(post(app, client=f"192.0.2.{number}")) for number in range(10)]
        return [answer.status for answer in await asyncio.gather(*asked)]

    assert asyncio.run(act()) == [503] * 10
    gate.set()
    context.decoders.close()
    context.broker_queue.close()
    assert len(begun) == decoders.MAX_DECODING
    assert context.room.left == 1_000_000


RELAYED = {
    "levels": b"[" * 900_000,
    "levels that close": b'{"text":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
    "a nested message": b'{"event_group":"key","event":"budget_crossed","event_message":'
    + b"[" * 700
    + b"]" * 700
    + b"}",
    "a nested text": b'{"text":' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}",
    "digits": b'{"spend":' + b"9" * 10_000 + b',"event_group":"key","event":"budget_crossed"}',
    "big numbers": b'{"spend":1e999,"max_budget":' + b"9" * 4_000 + b',"event_group":"key","event":"budget_crossed"}',
    "names": b'{"event_group":"key","event":' + b"9" * 4_000 + b',"key_alias":"\\ud800","team_id":"\\u0000"}',
    "objects": b'{"attachments":[' + b"{}," * 300_000 + b"{}]}",
    "emails": b'{"event_group":"key","event":"budget_crossed","alert_emails":[' + b"1," * 400_000 + b"1]}",
    "not UTF-8": b'{"text":"\xff"}',
    "keys that come twice": b'{"text":"a","text":"b"}',
}


@pytest.mark.parametrize("path", PATHS[1:])
@pytest.mark.parametrize("body", RELAYED.values(), ids=RELAYED)
def test_the_relay_takes_or_refuses_any_body(path: str, body: bytes) -> None:
    """The pipeline takes each event that the relay takes."""
    sent: list[SealedBatch] = []
    app, context = web(sent.append, room=4 * MIB)
    answer = asyncio.run(raw(app, path, body))

    assert answer in (200, 400)
    for batch in sent:
        decoded = decode(batch.body, "zstd")
        assert (len(decoded.events), decoded.rejected) == (1, [])
    context.decoders.close()
    context.broker_queue.close()


async def raw(app: Any, path: str, body: bytes) -> int:
    """Post a body with the key and return the status. The relay's answer is not JSON."""
    try:
        return (await ask(app, "POST", path, body, KEY)).status
    except json.JSONDecodeError:
        return 200


@pytest.mark.parametrize("count", ["-1", str(MAX_EVENTS + 1), "9" * 5_000, "1e3", ""])
def test_a_sealed_batch_states_its_number_of_events(count: str) -> None:
    """Within what a batch may have."""
    app, context = web(lambda _batch: None)
    answer = asyncio.run(ask(app, "POST", PATHS[0], b"x", SEALED | {"Alertworker-Count": count}))

    assert answer.status == 422
    context.broker_queue.close()


def test_a_sealed_batch_over_http_is_never_one_of_the_workers() -> None:
    """A canary in a batch of theirs proves that the pipeline is current."""
    app, context = web(lambda _batch: None)
    answer = asyncio.run(ask(app, "POST", PATHS[0], b"x", SEALED | {"Alertworker-Producer": "worker"}))

    assert answer.status == 422
    context.broker_queue.close()


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (compress(b"[" + b",".join([EVENT] * 700) + b"]"), 700),
        (compress(b"[" + b"1," * MAX_EVENTS + b"1]"), MAX_EVENTS),
        (compress(b"[" * 9_000_000), MAX_EVENTS),
        (compress(b" " * 40_000_000), MAX_EVENTS),
        (b"not zstd", MAX_EVENTS),
    ],
)
def test_a_sealed_batch_is_charged_by_the_events_that_it_holds(body: bytes, events: int) -> None:
    """Its size does not show them: 13 KB may hold 5,000, which cost the worker seconds. Nor does what it states."""
    sent: list[SealedBatch] = []
    _, context = web(sent.append)
    app = build_app(replace(context, event_rate=EventRate(1)))
    stated = SEALED | {"Alertworker-Count": "2"}
    statuses = [asyncio.run(ask(app, "POST", PATHS[0], body, stated)).status]
    refused = asyncio.run(ask(app, "POST", PATHS[0], body, stated))

    assert [*statuses, refused.status] == [202, 429]
    assert events - BURST - 10 < int(refused.headers["retry-after"]) <= events - BURST
    assert [batch.body for batch in sent] == [body]
    context.decoders.close()
    context.broker_queue.close()
