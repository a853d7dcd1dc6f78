"""Batches with bad events, or with a high cost: good events are applied, and few rows are kept of the rest."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from datetime import timedelta
from importlib import import_module
from typing import Any

import msgpack
import pytest
from sqlalchemy import event as sqlalchemy_event

from alertworker.events import Budget, BudgetScope, Event, PublisherHeartbeat
from alertworker.events.base import MAX_COST, MAX_EVENTS
from alertworker.events.batch import MAX_BATCH_BYTES, MAX_REJECTED, QUEUE, display_payload
from alertworker.events.compression import compress, decompress
from alertworker.events.system import PublisherCounters
from alertworker.pipeline import BatchMessage, BrokerMessage, Runtime, ingest, receive, replay
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import DEAD_LETTERS
from tests.integration.harness import NOW, Recorder, answered, batch, rows, spend_of

GOOD = answered("call-1").model_dump_json(exclude_none=True).encode()
BAD = {
    "deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "rather deep": GOOD[:-1] + b',"x":' + b"[" * 500 + b"]" * 500 + b"}",
    "half of a surrogate pair": GOOD.replace(b"call-1", b"\\ud800"),
    "NUL": GOOD.replace(b"search", b"a\\u0000b"),
    "a type that cannot be stored": GOOD.replace(b"llm.request.succeeded", b"a\\u0000\\ud800"),
    "not UTF-8": GOOD.replace(b"call-1", b"\xff"),
    "a long number": GOOD.replace(b"13500", b"9" * 10_000),
    "NaN": GOOD.replace(b"13500", b"NaN"),
}
BOMBS = {
    "half a million ones": compress(b"[" + b"1," * 499_999 + b"1]"),
    "bad events": compress(b"[" + b"{}," * MAX_REJECTED + GOOD + b",{}]"),
    "more events than may be": compress(b"[" + b",".join([b'{"type":"system.canary"}'] * (MAX_EVENTS + 1)) + b"]"),
    "brackets": compress(b"[[" + b"[]," * 4_000_000 + b"[]]]"),
    "empty frames": compress(b"") * 100_000,
}


def test_a_bad_event_is_a_dead_letter_and_its_neighbours_are_applied(store: SqlStore, runtime: Runtime) -> None:
    """The dead letter has the event's bytes and place. A replay makes it a dead letter again."""
    items = [item for bad in BAD.values() for item in (GOOD, bad)]
    ingest(BatchMessage("b1", compress(b"[" + b",".join(items) + b"]"), "zstd"), runtime, now=NOW)

    letters = sorted(rows(store, DEAD_LETTERS), key=lambda letter: int(letter.position))
    assert [letter.position for letter in letters] == list(range(1, 2 * len(BAD), 2))
    assert [letter.payload for letter in letters] == list(BAD.values())
    assert {(letter.kind, letter.batch_id) for letter in letters} == {("event", "b1")}
    assert spend_of(store, "team") == {"search": len(BAD) * 13_500}

    assert_a_replay_keeps(letters, store, runtime)


def test_a_bad_event_in_a_list_of_msgpack_is_a_dead_letter_of_its_own(store: SqlStore, runtime: Runtime) -> None:
    """The dead letter has the event's bytes. A replay makes it a dead letter again."""
    good: dict[str, Any] = json.loads(GOOD)
    bad = [good | {"x": msgpack.Timestamp(1)}, good | {1: 1}, good | {"x": b"\xff"}, {"x": "y" * 600_000}]
    body = msgpack.packb([[], {"batch_id": "b1", "events": [event for one in bad for event in (good, one)]}, {}])
    receive(BrokerMessage(QUEUE, body), runtime, now=NOW)

    letters = sorted(rows(store, DEAD_LETTERS), key=lambda letter: int(letter.position))
    assert [(letter.kind, letter.batch_id, letter.position) for letter in letters] == [
        ("event", "b1", position) for position in (1, 3, 5, 7)
    ]
    assert [letter.payload for letter in letters] == [msgpack.packb(event) for event in bad]
    assert spend_of(store, "team") == {"search": len(bad) * 13_500}

    assert_a_replay_keeps(letters, store, runtime)


@pytest.mark.parametrize("bad", [b"\xff", b"\\ud800", b"\xc3"])
def test_a_bad_event_in_a_text_of_json_is_a_dead_letter_of_its_own(
    store: SqlStore, runtime: Runtime, bad: bytes
) -> None:
    text = json.dumps(f"[{GOOD.decode()},{GOOD.decode().replace('call-1', 'call-2')},{GOOD.decode()}]").encode()
    body = b'[[], {"batch_id": "b1", "events": ' + text.replace(b"call-2", bad) + b"}, {}]"
    receive(BrokerMessage(QUEUE, body), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.batch_id, letter.position) == ("event", "b1", 1)
    assert spend_of(store, "team") == {"search": 2 * 13_500}


def test_few_bytes_sent_are_few_bytes_stored(store: SqlStore, runtime: Runtime) -> None:
    """Invalid events that were compressed, in their message or as a batch, are parked as small as they came."""
    large = b'{"type":"llm.request.succeeded","call_id":"' + b"x" * 1_900_000 + b'"}'
    plain = b"[" + b",".join([large] * 16) + b"]"
    json_in_zstd = compress(b'[[], {"batch_id": "b2", "events": ' + plain + b"}, {}]")
    text_in_zstd = compress(b'[[], {"batch_id": "b3", "events": ' + json.dumps(plain.decode()).encode() + b"}, {}]")
    sealed = msgpack.packb([[], {"batch_id": "b1", "events": compress(plain), "encoding": "zstd"}, {}])
    for body in (sealed, json_in_zstd, text_in_zstd):
        receive(BrokerMessage(QUEUE, body), runtime, now=NOW)

    letters = rows(store, DEAD_LETTERS)
    assert [letter.kind for letter in letters] == ["batch"] * 3
    assert all(len(letter.payload) < 10_000 for letter in letters)
    assert all(decompress(letter.payload, MAX_BATCH_BYTES) == plain for letter in letters)


def test_a_batch_below_the_bounds_is_rejected_event_by_event(store: SqlStore, runtime: Runtime) -> None:
    """One large event, or many small ones of a newer producer, cost no good event beside them."""
    noise = random.Random(7)
    texts = [b64encode(noise.randbytes(3_000)) for _ in range(MAX_REJECTED - 1)] + [
        b64encode(noise.randbytes(1_600_000))
    ]
    newer = [b'{"type":"llm.request.of_tomorrow","text":"' + text + b'"}' for text in texts]
    body = msgpack.packb([[], {"encoding": "zstd", "events": compress(b"[" + b",".join([*newer, GOOD]) + b"]")}, {}])
    receive(BrokerMessage(QUEUE, body), runtime, now=NOW)

    assert [letter.kind for letter in rows(store, DEAD_LETTERS)] == ["event"] * MAX_REJECTED
    assert spend_of(store, "team") == {"search": 13_500}


def test_a_large_parked_batch_is_shown_and_replayed(store: SqlStore, runtime: Runtime) -> None:
    """It is kept compressed."""
    events = b"[" + GOOD + b" " * 100_000 + b"]"
    ingest(BatchMessage("b1", events, sealed_at=NOW - timedelta(days=36)), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert len(letter.payload) < 1_000
    assert display_payload(letter.payload) == json.loads(events)
    assert isinstance(runtime.broker, Recorder)
    assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
    ((batch_id, kept, encoding),) = runtime.broker.resent
    ingest(BatchMessage(batch_id, kept, encoding), runtime, now=NOW)
    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


def test_a_bomb_is_one_dead_letter(store: SqlStore, runtime: Runtime) -> None:
    """The batch is parked whole, with its bytes and a reason, in a few statements. A replay parks it again."""
    statements: list[str] = []
    sqlalchemy_event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for batch_id, bomb in BOMBS.items():
        statements.clear()
        ingest(BatchMessage(batch_id, bomb, "zstd"), runtime, now=NOW)
        assert len(statements) < 20

    for letter in rows(store, DEAD_LETTERS):
        assert (letter.kind, letter.payload) == ("batch", BOMBS[letter.batch_id])
        assert letter.reason
        assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
        ingest(BatchMessage(letter.batch_id, letter.payload, "zstd"), runtime, now=NOW)
    assert sorted(letter.batch_id for letter in rows(store, DEAD_LETTERS)) == sorted(BOMBS)
    assert {row.events for row in rows(store, BATCHES)} == {0}
    assert spend_of(store, "team") == {}


def test_a_batch_of_bad_events_alone_is_judged_event_by_event_up_to_a_bound(store: SqlStore, runtime: Runtime) -> None:
    """The bound is the size of our publisher's batches: an old worker must not park a newer proxy's known events."""
    newer = b'{"type":"llm.request.of_tomorrow"}'
    ingest(BatchMessage("b1", b"[" + b",".join([newer] * (MAX_REJECTED - 1) + [GOOD]) + b"]"), runtime, now=NOW)

    assert len(rows(store, DEAD_LETTERS)) == MAX_REJECTED - 1
    assert spend_of(store, "team") == {"search": 13_500}


def test_a_plain_list_of_python_objects_is_checked_alike(store: SqlStore, runtime: Runtime) -> None:
    """Celery's JSON serializer passes such lists. An event that cannot be encoded is rejected alone."""
    good: dict[str, Any] = json.loads(GOOD)
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    bad = [deep, good | {"call_id": "\ud800"}, good | {"team_id": "a\0b"}, good | {"cost_nanos": float("nan")}]
    ingest(BatchMessage("b1", [good, *bad, good]), runtime, now=NOW)

    assert sorted(letter.position for letter in rows(store, DEAD_LETTERS)) == [1, 2, 3, 4]
    assert spend_of(store, "team") == {"search": 27_000}


def test_texts_are_stored_with_a_replacement(store: SqlStore, runtime: Runtime) -> None:
    """A single character must not lose a message, and a caller's metadata must not lose the call's spend."""
    call = GOOD[:-1] + b',"alerting_metadata":{"a\\u0000":"b\\u0000"},"cost_failure":"\\u0000"}'
    ingest(BatchMessage("b1", b"[" + call + b"]"), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


@pytest.mark.parametrize(
    ("kind", "bound", "limit"),
    [
        ("budgets", "MAX_READINGS", 3),
        ("windows", "MAX_ROWS", 3),
        ("drops", "MAX_DROPS", 3),
        ("ledger", "MAX_LEDGER_ROWS", 20),
    ],
)
def test_a_batch_that_would_hold_the_database_for_long_is_parked(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str, bound: str, limit: int
) -> None:
    """Few bytes can mean many alerts, budgets or rows. Each takes time in one transaction."""
    monkeypatch.setattr(import_module("alertworker.pipeline.ingest"), bound, limit)  # the package exports its function
    budget = Budget(scope=BudgetScope.TEAM, entity_id="t", spend_nanos=2, max_nanos=1)
    many: dict[str, list[Event]] = {
        "budgets": [
            answered(f"call-{n}", budgets=(budget.model_copy(update={"entity_id": f"t{n}"}),)) for n in range(4)
        ],
        "windows": [answered(f"call-{n}", deployment_id=f"d{n}") for n in range(4)],
        "drops": [heartbeat(f"boot-{n}", buffer_full=1) for n in range(4)],
        "ledger": [answered(f"call-{n}", tags=[f"{n}-{tag}" for tag in range(4)], team_id=f"t{n}") for n in range(4)],
    }
    ingest(batch(*many[kind], batch_id="large"), runtime, now=NOW)
    ingest(batch(answered("good")), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.batch_id) == ("batch", "large")
    assert f"the limit is {limit}" in letter.reason
    assert spend_of(store, "team") == {"search": 13_500}


def heartbeat(boot_id: str, **dropped: int) -> PublisherHeartbeat:
    """Return a publisher's heartbeat with its counts of dropped events."""
    counters = PublisherCounters(dropped=dropped)
    return PublisherHeartbeat(
        boot_id=boot_id, host="h", pid=1, version="1", started_at=NOW, occurred_at=NOW, counters=counters
    )


def test_a_row_that_is_full_fails_no_batch(store: SqlStore, runtime: Runtime) -> None:
    """The sum stops growing. The other teams' calls in the same batch are counted."""
    for number in range(12):
        calls = [answered(f"call-{number}-{n}", team_id="rich", cost_nanos=MAX_COST) for n in range(100)]
        ingest(batch(*calls, answered(f"other-{number}", team_id="other")), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team")["other"] == 12 * 13_500
    assert spend_of(store, "team")["rich"] >= 10**17


def assert_a_replay_keeps(letters: list[Any], store: SqlStore, runtime: Runtime) -> None:
    """Replay dead letters. Each must become a dead letter again, for the same reason."""
    assert isinstance(runtime.broker, Recorder)
    for letter in letters:
        assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
    for batch_id, events, encoding in runtime.broker.resent:
        ingest(BatchMessage(batch_id, events, encoding), runtime, now=NOW)
    again = {letter.payload: (letter.kind, letter.reason) for letter in rows(store, DEAD_LETTERS)}
    assert again == {letter.payload: ("event", letter.reason) for letter in letters}
