"""Messages that cannot be applied are parked, on every database, whatever their ids and events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from celery.exceptions import Reject

from alertworker import pipeline
from alertworker.events.batch import TASK
from alertworker.pipeline import BatchMessage, BrokerMessage, Runtime, ingest, park, receive
from alertworker.ports.dead_letters import LetterFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.worker import tasks
from tests.integration.line import NOW, Recorder, answered, batch
from tests.integration.pages import Browser, context

ODD = ["a\0b", "\ud800", "x" * 5_000, "\x1b[31m", "", "\u202e", 7, 7.5, True, None, 10**300]


@pytest.fixture
def desk(store: SqlStore) -> AdminStore:
    """Return the same store as the command line sees it."""
    return AdminStore(store.engine)


def message_of(call: Any, **facts: Any) -> BrokerMessage:
    """Return a message as a broker delivers it."""
    return BrokerMessage("alertworker.events", call if isinstance(call, bytes) else json.dumps(call).encode(), **facts)


def test_no_id_keeps_a_message_from_its_end(runtime: Runtime, desk: AdminStore) -> None:
    """Each message is applied or parked, and the same one again changes nothing."""
    for field in ("batch_id", "producer", "sealed_at", "encoding"):
        for odd in ODD:
            message = message_of([[], {"events": [], field: odd}, {}], message_id=f"{field} {odd!r}"[:300])
            receive(message, runtime, now=NOW)
            before = len(desk.dead_letters())
            receive(message, runtime, now=NOW)
            assert len(desk.dead_letters()) == before


def test_a_batch_with_any_id_can_be_parked(runtime: Runtime, desk: AdminStore) -> None:
    """Parking must accept whatever made everything before it fail."""
    texts = [odd for odd in ODD if isinstance(odd, str)]
    for odd in texts:
        for number, events in enumerate((b"\xff\0", f"\ud800{odd}", [odd, float("nan"), object()], deep(400))):
            given_up = BatchMessage(f"{odd}{number}", events, producer=odd, given_up=f"because {odd}")
            for _ in range(2):
                ingest(given_up, runtime, now=NOW)
        park(message_of(b"\0\xff", message_id=odd), f"because {odd}", runtime.store, now=NOW)
    assert len(desk.dead_letters()) == 5 * len(texts)
    letters = [desk.dead_letter(row.id) for row in desk.dead_letters(LetterFilter(kind="message"))]
    assert [letter.payload for letter in letters if letter] == [b"\0\xff"] * len(texts)


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

    [record] = [record for record in caplog.records if record.name == "alertworker.tasks"]
    assert {name: value for name, value in vars(record).items() if name == "batch_id"} == ids
    assert message.letter_id in record.getMessage()
    assert "canary" not in record.getMessage()


def deep(depth: int) -> list[Any]:
    """Return nested lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_two_messages_are_two_letters_and_one_that_comes_again_is_one(runtime: Runtime, desk: AdminStore) -> None:
    """A message is identified by its id and bytes. A discarded letter hides no later message."""
    for name, body in (("a", b"["), ("b", b"["), ("a", b"{"), ("a", b"[")):
        receive(message_of(body, message_id=name), runtime, now=NOW)
    assert len(desk.dead_letters()) == 3
    for row in desk.dead_letters():
        desk.discard(row.id)
    receive(message_of(b"[", message_id="a"), runtime, now=NOW)
    assert len(desk.dead_letters()) == 1


def test_a_replay_that_is_parked_before_its_letter_is_put_away_keeps_the_letter(
    runtime: Runtime, desk: AdminStore
) -> None:
    """The worker may be faster than the command."""
    receive(message_of(b"[", message_id="a"), runtime, now=NOW)
    [row] = desk.dead_letters()

    class Fast(Recorder):
        def resend_message(self, message_id: str, body: bytes) -> None:
            receive(message_of(body, message_id=message_id), runtime, now=NOW.replace(microsecond=7))

    assert pipeline.replay(row.id, desk, Fast(), now=NOW)
    assert [again.id for again in desk.dead_letters()] == [row.id]
    line = Recorder()
    assert pipeline.replay(row.id, desk, line, now=NOW)
    assert (line.messages, desk.dead_letters()) == ([("a", b"[")], [])


def test_the_page_shows_whatever_a_letter_holds(runtime: Runtime, desk: AdminStore, store: SqlStore) -> None:
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
    assert len(desk.dead_letters()) == len(bodies) - 1


def test_a_letter_that_is_too_large_says_so(
    runtime: Runtime, desk: AdminStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cut without a notice."""
    monkeypatch.setattr("alertworker.store.upsert._MAX_PAYLOAD", 10)
    receive(message_of(b"[" * 11), runtime, now=NOW)
    [row] = desk.dead_letters()
    assert row.bytes == 10
    assert row.reason.endswith("only the first 10 of 11 bytes are kept")


def test_the_batch_id_is_the_bodys_then_the_headers_then_the_messages_own(runtime: Runtime, desk: AdminStore) -> None:
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
    with desk.engine.connect() as connection:
        ids = set(connection.exec_driver_sql("SELECT batch_id FROM batches").scalars())
    assert {"own", "z", "one"} < ids
    assert len(ids) == 4


def test_a_dead_event_whose_type_cannot_be_stored_is_kept(runtime: Runtime, desk: AdminStore) -> None:
    """People filter by the type, so it is replaced by a safe string."""
    events = b'[{"type": "a\\u0000b"}, {"type": "' + b"x" * 5_000 + b'"}]'
    ingest(replace(batch(answered("a"), batch_id="b"), events=events, encoding=None), runtime, now=NOW)
    assert len(desk.dead_letters()) == 2
