"""Messages that cannot be applied are parked, on every database, with any ids and events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from celery.exceptions import Reject

from alertworker import pipeline
from alertworker.app import celery
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.events.batch import QUEUE, TASK
from alertworker.events.message import MessageError
from alertworker.pipeline import BatchMessage, BrokerMessage, Oversize, Runtime, admit, ingest, park, receive
from alertworker.ports.dead_letters import LetterFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.batches import REDELIVERIES
from alertworker.worker import tasks
from alertworker.worker.opaque import PARK, TASKS
from tests.integration.harness import NOW, Recorder, answered, batch, rows
from tests.integration.pages import Browser, context

receive_module = import_module("alertworker.pipeline.receive")  # the package exports its function
ODD = ["a\0b", "\ud800", "x" * 5_000, "\x1b[31m", "", "\u202e", 7, 7.5, True, None, 10**300]


@pytest.fixture
def admin(store: SqlStore) -> AdminStore:
    """Return the same store as the command line sees it."""
    return AdminStore(store.engine)


def message_of(call: Any, queue: str = QUEUE, **facts: Any) -> BrokerMessage:
    """Make a message as a broker gives it."""
    return BrokerMessage(queue, call if isinstance(call, bytes) else json.dumps(call).encode(), **facts)


def test_no_id_keeps_a_message_from_its_end(runtime: Runtime, admin: AdminStore) -> None:
    """Each message is applied or parked, and the same one again changes nothing."""
    for field in ("batch_id", "producer", "sealed_at", "encoding"):
        for odd in ODD:
            message = message_of([[], {"events": [], field: odd}, {}], message_id=f"{field} {odd!r}"[:300])
            receive(message, runtime, now=NOW)
            before = len(admin.dead_letters.search())
            receive(message, runtime, now=NOW)
            assert len(admin.dead_letters.search()) == before


def test_a_batch_with_any_id_can_be_parked(runtime: Runtime, admin: AdminStore) -> None:
    """Parking must accept a message that made every earlier step fail."""
    texts = [odd for odd in ODD if isinstance(odd, str)]
    for odd in texts:
        for number, events in enumerate((b"\xff\0", f"\ud800{odd}", [odd, float("nan"), object()], deep(400))):
            old = BatchMessage(f"{odd}{number}", events, producer=odd, sealed_at=NOW - timedelta(days=36))
            for _ in range(2):
                ingest(old, runtime, now=NOW)
        park(message_of(b"\0\xff", message_id=odd), f"because {odd}", runtime.store, now=NOW)
    assert len(admin.dead_letters.search()) == 5 * len(texts)
    letters = [
        admin.dead_letters.find(row.id) for row in admin.dead_letters.search(LetterFilter(kind=DeadLetterKind.MESSAGE))
    ]
    assert [letter.payload for letter in letters if letter] == [b"\0\xff"] * len(texts)


def test_a_message_that_keeps_ending_its_worker_is_parked_unread(
    runtime: Runtime, admin: AdminStore, store: SqlStore
) -> None:
    """This holds for any body and queue. A replay is tried as often as a new message."""
    for number, queue in enumerate(TASKS):
        poison = message_of(b"[[], {}", message_id="poison", redelivered=True, queue=queue)
        for _ in range(2):
            assert [admit(poison, store, now=NOW) for _ in range(6)] == [True] * 5 + [False]
        [row] = [row for row in admin.dead_letters.search() if row.id == poison.letter_id]
        assert (row.kind, row.reason) == ("message", "not applied after 5 redeliveries")
        letter = admin.dead_letters.find(row.id)
        assert letter is not None
        assert letter.payload == poison.body
        assert len(admin.dead_letters.search()) == number + 1


def test_a_redelivered_batch_that_is_applied_is_not_counted_any_longer(runtime: Runtime, store: SqlStore) -> None:
    """A worker may die between applying and acknowledging it, any number of times."""
    again = message_of([[], {"events": [], "batch_id": "b"}, {}], redelivered=True)
    for _ in range(12):
        assert admit(again, store, now=NOW)
        receive(again, runtime, now=NOW)
    assert rows(store, REDELIVERIES) == []


@pytest.mark.parametrize("name", sorted(name for name in celery.tasks if name.startswith("alertworker.")))
def test_no_task_reads_a_message_before_it_is_counted(
    name: str, runtime: Runtime, store: SqlStore, admin: AdminStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading is what may end the worker."""
    counted: list[int] = []

    def read(_body: bytes) -> Any:
        counted.extend(row.times for row in rows(store, REDELIVERIES))
        raise MessageError("unreadable")

    monkeypatch.setattr(receive_module, "read_message", read)
    monkeypatch.setattr(receive_module, "read_task", read)
    monkeypatch.setattr(tasks, "get_runtime", lambda: runtime)
    celery.tasks[name].run(message=message_of(b"x", redelivered=True))
    assert counted == ([] if name == PARK else [1])
    assert len(admin.dead_letters.search()) == 1


@pytest.mark.parametrize("name", ["alertworker.deliver", "alertworker.sweep", "alertworker.report"])
def test_an_expired_task_is_skipped_only_if_it_can_be_read(
    name: str, runtime: Runtime, admin: AdminStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable message is parked, with any headers."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a late task did its work")

    monkeypatch.setattr(tasks, "get_runtime", lambda: runtime)
    for work in ("sweep", "deliver"):
        monkeypatch.setattr(pipeline, work, fail)
    monkeypatch.setattr(tasks, "get_reporter", fail)
    for call in ([[], {"channel": "outbox"}, {}], b"[[", [["x"], {}, {}]):
        celery.tasks[name].run(message=message_of(call, expires=NOW - timedelta(days=400)))
    assert len(admin.dead_letters.search()) == 2


@pytest.mark.parametrize(
    ("batch_id", "ids"),
    [("01a20a23-7752-7f27-b047-fa4b04cc253c", {"batch_id": "01a20a23-7752-7f27-b047-fa4b04cc253c"}), ("canary", {})],
)
def test_a_batch_that_fails_is_logged_by_its_id_unless_that_is_a_producers_text(
    batch_id: str, ids: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line then names the message by the id of its dead letter alone."""
    monkeypatch.setattr(tasks, "get_runtime", lambda: None)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    message = message_of([[], {"events": [], "batch_id": batch_id}, {}])
    with pytest.raises(Reject):
        tasks.ingest.run(message=message)

    [record] = [record for record in caplog.records if record.name == "alertworker.worker.tasks"]
    assert {name: value for name, value in vars(record).items() if name == "batch_id"} == ids
    assert message.letter_id in record.getMessage()
    assert "canary" not in record.getMessage()


def deep(depth: int) -> list[Any]:
    """Return nested lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_two_messages_are_two_letters_and_one_that_comes_again_is_one(runtime: Runtime, admin: AdminStore) -> None:
    """A message is identified by its id and bytes. A discarded letter hides no later message."""
    for name, body in (("a", b"["), ("b", b"["), ("a", b"{"), ("a", b"[")):
        receive(message_of(body, message_id=name), runtime, now=NOW)
    assert len(admin.dead_letters.search()) == 3
    for row in admin.dead_letters.search():
        admin.dead_letters.discard(row.id)
    receive(message_of(b"[", message_id="a"), runtime, now=NOW)
    assert len(admin.dead_letters.search()) == 1


def test_a_replay_that_is_parked_before_its_letter_is_put_away_keeps_the_letter(
    runtime: Runtime, admin: AdminStore
) -> None:
    """The worker may be faster than the command."""
    receive(message_of(b"[", message_id="a"), runtime, now=NOW)
    [row] = admin.dead_letters.search()

    class Fast(Recorder):
        def resend_message(self, message_id: str, body: bytes) -> None:
            receive(message_of(body, message_id=message_id), runtime, now=NOW.replace(microsecond=7))

    assert pipeline.replay(row.id, admin.dead_letters, Fast(), now=NOW)
    assert [again.id for again in admin.dead_letters.search()] == [row.id]
    line = Recorder()
    assert pipeline.replay(row.id, admin.dead_letters, line, now=NOW)
    assert (line.messages, admin.dead_letters.search()) == ([("a", b"[")], [])


def test_the_page_shows_every_form_of_dead_letter(runtime: Runtime, admin: AdminStore, store: SqlStore) -> None:
    """The page has each kind, its content as text, and buttons to replay and to discard it."""
    bodies = [
        b"",
        b"\0\xff<b>",
        b"[" * 900,
        b"[" * 150 + b"]" * 150,
        b'"\\ud800"',
        b"[NaN, 1e999]",
        b"9" * 5_000,
        b"\x93",
    ]
    for body in bodies:
        receive(message_of(body), runtime, now=NOW)
    browser = Browser(context(store, Recorder()))
    browser.log_in()
    links = browser.get("/deadletters?kind=message").links("/deadletters/")
    assert len(links) == len(bodies)
    for link in links:
        page = browser.get(link)
        assert page.status == 200
    assert "1 of 1 discarded" in browser.send(page, "/deadletters", do="discard").text
    assert len(admin.dead_letters.search()) == len(bodies) - 1


def test_a_dead_letter_that_was_cut_has_a_notice(
    runtime: Runtime, admin: AdminStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cut without a notice."""
    monkeypatch.setattr("alertworker.store.upsert._MAX_PAYLOAD", 10)
    receive(message_of(b"[" * 11), runtime, now=NOW)
    [row] = admin.dead_letters.search()
    assert row.bytes == 10
    assert row.reason.endswith("only the first 10 of 11 bytes are kept")


def test_of_messages_over_the_limit_the_start_is_parked_with_a_digest(runtime: Runtime, admin: AdminStore) -> None:
    """Two messages with the same start are two dead letters. A second delivery of one of them adds none."""
    for digest in ("a" * 64, "b" * 64, "a" * 64):
        receive(message_of(b'{"events": []}', oversize=Oversize(70_000_000, digest)), runtime, now=NOW)
    found = admin.dead_letters.search()
    assert {row.reason[-64:] for row in found} == {"a" * 64, "b" * 64}
    assert all("70000000 bytes is over the limit" in row.reason for row in found)
    assert len(found) == 2


def test_the_reason_names_the_digest_of_a_message_that_redis_cut(runtime: Runtime, admin: AdminStore) -> None:
    """Redis has no SHA-256."""
    receive(message_of(b"x", oversize=Oversize(100_700_000, "c" * 40)), runtime, now=NOW)
    [row] = admin.dead_letters.search()
    assert row.reason.endswith(f"the SHA-1 of its first and last 64 KiB is {'c' * 40}")


def test_the_batch_id_is_the_bodys_then_the_headers_then_the_messages_own(runtime: Runtime, admin: AdminStore) -> None:
    """A repeated message is harmless under each of them."""
    events = [json.loads(answered("a").model_dump_json())]
    for call, facts in (
        ([[], {"events": events, "batch_id": "own"}, {}], {"message_id": "x"}),
        ([[], {"events": events, "batch_id": "own"}, {}], {"message_id": "y"}),
        ([[], {"events": events}, {}], {"message_id": "z"}),
        ({"task": TASK, "id": "one", "kwargs": {"events": events}}, {}),
        ([[], {"events": events}], {}),
        ([[], {"events": events}], {}),
    ):
        receive(message_of(call, **facts), runtime, now=NOW)
    with admin.engine.connect() as connection:
        ids = set(connection.exec_driver_sql("SELECT batch_id FROM batches").scalars())
    assert {"own", "z", "one"} < ids
    assert len(ids) == 4


def test_a_dead_event_of_an_unstorable_type_is_kept(runtime: Runtime, admin: AdminStore) -> None:
    """People filter by the type, so it is replaced by a safe string."""
    events = b'[{"type": "a\\u0000b"}, {"type": "' + b"x" * 5_000 + b'"}]'
    ingest(replace(batch(answered("a"), batch_id="b"), events=events, encoding=None), runtime, now=NOW)
    assert len(admin.dead_letters.search()) == 2


def test_a_failure_is_returned_although_naming_its_batch_fails_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log line of a failure reads the batch's id. A message must not be acknowledged because that fails."""

    def fail(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(receive_module, "_batch", fail)
    assert pipeline.log_ids(message_of([[], {"events": []}, {}])) == {}
