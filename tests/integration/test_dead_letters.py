"""Dead letters: the search by each field, and replays that count once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertworker import pipeline
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import display_payload
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.ports.dead_letters import LetterFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.store.delivery.dead_letters import DeadLetters
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, Recorder, answered, batch, failed, rows, run_until_quiet, spend_of

BAD = b'{"type": "llm.request.failed", "call_id": 5}'


@pytest.fixture
def admin(store: SqlStore) -> AdminStore:
    return AdminStore(store.engine)


def arrive(runtime: Runtime) -> None:
    """Ingest what was sent again."""
    assert isinstance(runtime.broker, Recorder)
    for batch_id, events, encoding in runtime.broker.resent:
        ingest(BatchMessage(batch_id, events, encoding), runtime, now=NOW)
    runtime.broker.resent.clear()


def parked(runtime: Runtime, admin: AdminStore, batch_id: str = "b1") -> str:
    """Park a batch with one call; gives its letter's id."""
    ingest(replace(batch(answered("a"), batch_id=batch_id), sealed_at=NOW - timedelta(days=36)), runtime, now=NOW)
    return str(admin.dead_letters.search(LetterFilter(kind=DeadLetterKind.BATCH))[0].id)


def test_a_parked_batch_is_replayed_under_its_own_id(runtime: Runtime, admin: AdminStore, store: SqlStore) -> None:
    """Its id does not count as applied. The same batch a second time changes nothing."""
    letter_id = parked(runtime, admin)
    letter = admin.dead_letters.find(letter_id)
    assert letter is not None
    assert pipeline.replay(letter_id, admin.dead_letters, runtime.broker, now=NOW)
    arrive(runtime)
    ingest(BatchMessage("b1", letter.payload, "zstd"), runtime, now=NOW)

    assert spend_of(store, "team") == {"search": 13_500}
    assert [(row.batch_id, row.events) for row in rows(store, BATCHES)] == [("b1", 1)]
    assert admin.dead_letters.search() == []


def test_a_replay_that_was_cut_off_is_done_again_without_counting_twice(
    runtime: Runtime, admin: AdminStore, store: SqlStore
) -> None:
    """Without a broker the letter is kept. A replay killed before it removes the letter is applied once."""
    letter_id = parked(runtime, admin)

    class Away(Recorder):
        def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
            raise BrokerUnavailable("away")

    with pytest.raises(BrokerUnavailable):
        pipeline.replay(letter_id, admin.dead_letters, Away(), now=NOW)
    letter = admin.dead_letters.find(letter_id)
    assert letter is not None

    class Killed(DeadLetters):
        def discard(self, letter_id: str) -> bool:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            pipeline.replay(letter_id, Killed(admin.engine), runtime.broker, now=NOW)
        arrive(runtime)
    assert spend_of(store, "team") == {"search": 13_500}


def test_a_dead_event_is_replayed_once_without_its_batch(runtime: Runtime, admin: AdminStore, store: SqlStore) -> None:
    """Its batch was applied without it. If it is still bad, it becomes a dead letter again."""
    ingest(BatchMessage("b1", b"[" + failed("a").model_dump_json().encode() + b"," + BAD + b"]"), runtime, now=NOW)
    [row] = admin.dead_letters.search()
    assert (row.kind, row.type, row.batch_id, row.position) == ("event", "llm.request.failed", "b1", 1)
    assert pipeline.replay(row.id, admin.dead_letters, runtime.broker, now=NOW)
    arrive(runtime)

    [again] = admin.dead_letters.search()
    assert (again.batch_id, again.position) == (f"replay-{row.id}", 0)


def test_letters_are_found_by_everything_that_is_known_of_them(
    runtime: Runtime, admin: AdminStore, outbox: Outbox
) -> None:
    """The filters are kind, start of the reason, channel, type and time, and all of them together."""
    outbox.failures = [DeliveryError("answered 400", Reason.CLIENT_ERROR)]
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    parked(runtime, admin)
    ingest(BatchMessage("b2", b"[" + BAD + b"]"), runtime, now=NOW + timedelta(hours=1))

    def kinds(
        kind: DeadLetterKind | None = None,
        reason: str | None = None,
        channel: str | None = None,
        since: datetime | None = None,
    ) -> list[str]:
        found = admin.dead_letters.search(LetterFilter(kind=kind, reason=reason, channel=channel, since=since))
        return sorted(row.kind for row in found)

    assert kinds() == ["batch", "event", "notification"]
    assert kinds(kind=DeadLetterKind.BATCH) == ["batch"]
    assert kinds(reason="client_error") == ["notification"]
    assert kinds(reason="%") == []
    assert kinds(channel="outbox") == ["notification"]
    assert kinds(since=NOW + timedelta(minutes=1)) == ["event"]
    assert [row.kind for row in admin.dead_letters.search(LetterFilter(type="llm_exceptions"))] == ["notification"]
    assert [row.kind for row in admin.dead_letters.search(LetterFilter(until=NOW))] == []


def test_a_letter_without_its_notification_is_kept(
    runtime: Runtime, admin: AdminStore, outbox: Outbox, store: SqlStore
) -> None:
    """It cannot be replayed. The error gives the reason, and the letter is kept."""
    outbox.failures = [DeliveryError("answered 400", Reason.CLIENT_ERROR)]
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    store.run(lambda tx: tx.connection.execute(NOTIFICATIONS.delete()))
    [row] = admin.dead_letters.search()

    assert not pipeline.replay(row.id, admin.dead_letters, runtime.broker, now=NOW)
    assert admin.dead_letters.find(row.id) is not None


def test_a_letter_can_be_read(runtime: Runtime, admin: AdminStore) -> None:
    """A sealed batch is unpacked. A payload that is not JSON is shown as text."""
    letter = admin.dead_letters.find(parked(runtime, admin))
    assert letter is not None

    read = display_payload(letter.payload)
    assert isinstance(read, list)
    assert read[0]["call_id"] == "a"
    assert display_payload(b"\xff nonsense") == "\ufffd nonsense"
    assert display_payload(json.dumps({"type": "x"}).encode()) == {"type": "x"}
