"""Batches under one id: the same batch again changes nothing, and another one is parked."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b

import pytest
import zstandard

from alertworker.events.compression import compress
from alertworker.pipeline import BatchMessage, Runtime, ingest, replay
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import DEAD_LETTERS
from tests.integration.harness import NOW, Recorder, answered, rows, spend_of

GOOD = answered("call-1").model_dump_json(exclude_none=True).encode()


def test_another_batch_under_an_applied_id_is_parked_once_and_can_be_replayed(
    store: SqlStore, runtime: Runtime
) -> None:
    """A producer that uses an id twice loses nothing. A redelivered batch is still acknowledged without a change."""
    first, other = (b"[" + answered(call).model_dump_json(exclude_none=True).encode() + b"]" for call in ("1", "2"))
    for events in (first, other, first, other):
        ingest(BatchMessage("b1", events), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.payload) == ("batch", other)
    assert "same id, b1" in letter.reason
    assert spend_of(store, "team") == {"search": 13_500}

    assert isinstance(runtime.broker, Recorder)
    assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
    ((batch_id, events, encoding),) = runtime.broker.resent
    ingest(BatchMessage(batch_id, events, encoding), runtime, now=NOW)
    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 2 * 13_500}


def test_the_id_of_a_parked_batch_cannot_be_taken(store: SqlStore, runtime: Runtime) -> None:
    """A producer that guesses the id under which another one's batch will be parked makes it no repetition."""
    first, other = (b"[" + answered(call).model_dump_json(exclude_none=True).encode() + b"]" for call in ("1", "2"))
    guessed = f"b1~{blake2b(other, digest_size=16).hexdigest()}"
    for batch_id, events in (("b1", first), (guessed, b"[]"), ("b1", other)):
        ingest(BatchMessage(batch_id, events), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.payload) == ("batch", other)
    assert isinstance(runtime.broker, Recorder)
    assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
    ((batch_id, events, encoding),) = runtime.broker.resent
    ingest(BatchMessage(batch_id, events, encoding), runtime, now=NOW)
    assert spend_of(store, "team") == {"search": 2 * 13_500}


LARGE = b"[" + GOOD + b" " * 100_000 + b"]"


@pytest.mark.parametrize(
    ("events", "encoding"),
    [
        (b"[" + GOOD + b"]", None),
        (LARGE, None),
        (LARGE.decode(), None),
        (compress(LARGE), "zstd"),
        (compress(LARGE), None),
    ],
)
def test_a_replayed_batch_is_the_same_batch_as_the_original(
    store: SqlStore, runtime: Runtime, events: object, encoding: str | None
) -> None:
    """However it is compressed: the producer may send the original again, after the replay or beside it."""
    ingest(BatchMessage("b1", events, encoding, sealed_at=NOW - timedelta(days=36)), runtime, now=NOW)
    (letter,) = rows(store, DEAD_LETTERS)
    assert isinstance(runtime.broker, Recorder)
    assert replay(letter.id, AdminStore(store.engine).dead_letters, runtime.broker, now=NOW)
    ((batch_id, kept, kept_as),) = runtime.broker.resent
    kept = kept if kept_as == "zstd" else compress(kept)  # as the broker's adapter sends it
    for again in ((kept, "zstd"), (events, encoding), (kept, "zstd")):
        ingest(BatchMessage(batch_id, *again), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


@pytest.mark.parametrize("level", [1, 19])
def test_a_batch_that_is_compressed_again_is_the_same_batch(store: SqlStore, runtime: Runtime, level: int) -> None:
    """A producer with another version of zstd, or none."""
    for events, encoding in ((compress(LARGE), "zstd"), (zstandard.compress(LARGE, level), "zstd"), (LARGE, None)):
        ingest(BatchMessage("b1", events, encoding), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


def test_an_unreadable_batch_under_an_applied_id_is_parked(store: SqlStore, runtime: Runtime) -> None:
    """This includes the id of a batch that was itself parked."""
    for events in (b"[" + GOOD + b"]", b"cut off", b"cut off", b"another", "[", ["not an event"]):
        ingest(BatchMessage("b1", events), runtime, now=NOW)

    batches = [letter.payload for letter in rows(store, DEAD_LETTERS) if letter.kind == "batch"]
    assert sorted(batches) == sorted([b"cut off", b"another", b"[", b'["not an event"]'])


def test_a_batch_that_the_previous_version_applied_is_acknowledged(store: SqlStore, runtime: Runtime) -> None:
    """Its row has no digest, so an equal id means the same batch."""
    ingest(BatchMessage("b1", b"[" + GOOD + b"]"), runtime, now=NOW)
    with store.engine.begin() as connection:
        connection.execute(BATCHES.update().values(digest=None))
    ingest(BatchMessage("b1", b"[" + GOOD + b"] "), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


def test_the_http_endpoint_s_ids_stand_for_the_body(store: SqlStore, runtime: Runtime) -> None:
    """The endpoint sets the time of events without one, so a repeated request has the same id and other bytes."""
    for space in (b"", b" "):
        ingest(BatchMessage(f"http:{'0f' * 20}", b"[" + GOOD + space + b"]", producer="http"), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert spend_of(store, "team") == {"search": 13_500}


@pytest.mark.parametrize(
    ("batch_id", "producer"),
    [
        ("http://checkout.internal/2026-11-30/1", "checkout"),
        ("http://checkout.internal/2026-11-30/1", "http"),
        (f"http:{'0f' * 20}", "checkout"),
        (f"http:{'0f' * 20}0", "http"),
        (f"http:{'0F' * 20}", "http"),
    ],
)
def test_any_other_id_stands_for_the_events_alone(
    store: SqlStore, runtime: Runtime, batch_id: str, producer: str
) -> None:
    """A producer's own ids may be URLs; another batch under the same one is parked, not lost."""
    for space in (b"", b" "):
        ingest(BatchMessage(batch_id, b"[" + GOOD + space + b"]", producer=producer), runtime, now=NOW)

    assert [letter.payload for letter in rows(store, DEAD_LETTERS)] == [b"[" + GOOD + b" ]"]
