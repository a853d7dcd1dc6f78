"""The task that gets several batches: together, else each by itself, and none is lost with another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from celery.exceptions import Reject

from alertworker import pipeline
from alertworker.errors import StoreUnavailable, TransactionRefused
from alertworker.events.batch import QUEUE
from alertworker.pipeline import BrokerMessage, Runtime
from alertworker.pipeline.receive import MAX_REDELIVERIES
from alertworker.store import SqlStore
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.worker import tasks
from tests.integration.harness import answered, rows

MESSAGES = [
    BrokerMessage(QUEUE, json.dumps([[], {"events": [event], "batch_id": name}, {}]).encode())
    for name in ("b1", "b2", "b3")
    for event in [answered(name).model_dump(mode="json", exclude_none=True)]
]


@pytest.fixture(autouse=True)
def process(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks use the test's store, and wait for nothing."""
    monkeypatch.setattr(tasks, "get_runtime", lambda: runtime)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds of the monotonic clock, which stand still."""
    seconds = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


def run(messages: Sequence[BrokerMessage]) -> None:
    tasks.ingest.run(message=messages[0], more=messages[1:])


def ids(store: SqlStore) -> list[str]:
    return sorted(row.batch_id for row in rows(store, BATCHES))


def test_waiting_batches_are_applied_in_one_transaction(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is applied again by itself."""
    monkeypatch.setattr(pipeline, "receive", None)
    run(MESSAGES)
    assert ids(store) == ["b1", "b2", "b3"]
    assert len({row.applied_at for row in rows(store, BATCHES)}) == 1


def test_a_message_that_is_no_batch_is_parked_and_the_others_are_applied(store: SqlStore) -> None:
    run([MESSAGES[0], BrokerMessage(QUEUE, b"[["), MESSAGES[1]])
    assert ids(store) == ["b1", "b2"]
    assert [row.kind for row in rows(store, DEAD_LETTERS)] == ["message"]


def test_a_batch_that_fails_returns_all_and_keeps_none_from_being_applied(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The redelivered ones change nothing, except the one that failed."""
    receive, order = pipeline.receive, list[BrokerMessage]()

    def fail(message: BrokerMessage, *arguments: Any, **more: Any) -> None:
        order.append(message)
        if message is MESSAGES[1]:
            raise RuntimeError("bug")
        receive(message, *arguments, **more)

    monkeypatch.setattr(pipeline, "receive", fail)
    monkeypatch.setattr(pipeline, "receive_together", lambda *_, **__: 1 / 0)
    with pytest.raises(Reject, match="RuntimeError"):
        run(MESSAGES)
    assert order == MESSAGES, "the oldest first"
    assert ids(store) == ["b1", "b3"]


def test_batches_wait_together_for_the_database(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are neither applied one by one nor returned."""
    failures = [StoreUnavailable("away") for _ in range(5)]

    def away(work: Any) -> Callable[..., Any]:
        def fail_first(*arguments: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return work(*arguments, **more)

        return fail_first

    monkeypatch.setattr(pipeline, "receive", None)
    monkeypatch.setattr(pipeline, "receive_together", away(pipeline.receive_together))
    monkeypatch.setattr(tasks, "_check_store", away(tasks._check_store))
    run(MESSAGES)
    assert (ids(store), failures) == (["b1", "b2", "b3"], [])


def test_batches_whose_transaction_the_database_keeps_refusing_are_returned(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them exceeds a timeout, for example. Redelivered batches are alone, so it holds up no other."""

    refusals = [StoreUnavailable("the database is unavailable (QueryCanceled)") for _ in range(10)]

    def refuse(*_: Any, **__: Any) -> bool:
        raise refusals.pop()

    monkeypatch.setattr(pipeline, "receive", None)
    monkeypatch.setattr(pipeline, "receive_together", refuse)
    with pytest.raises(Reject, match="QueryCanceled") as returned:
        run(MESSAGES)
    error: Any = returned.value
    assert error.requeue is True
    assert ids(store) == []


def test_a_message_that_the_database_always_refuses_is_parked_at_last(
    store: SqlStore, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It held a process of the pool for ever. Its redeliveries are counted, as those of one that kills its worker."""

    def refuse(*_: Any, **__: Any) -> None:
        clock[0] += 5
        raise TransactionRefused("the database is unavailable (QueryCanceled)")

    monkeypatch.setattr(pipeline, "receive", refuse)
    again = replace(MESSAGES[0], redelivered=True)
    with pytest.raises(Reject, match="QueryCanceled") as returned:
        run(MESSAGES[:1])
    error: Any = returned.value
    assert (error.requeue, clock[0]) == (True, 25)
    for _ in range(MAX_REDELIVERIES):
        with pytest.raises(Reject, match="QueryCanceled"):
            run([again])
    run([again])
    assert [row.reason for row in rows(store, DEAD_LETTERS)] == [f"not applied after {MAX_REDELIVERIES} redeliveries"]


@pytest.mark.parametrize(
    ("error", "accepts"), [(StoreUnavailable("the disk is full"), True), (TransactionRefused("restarting"), False)]
)
def test_a_message_waits_for_a_database_that_is_away(
    store: SqlStore, clock: list[float], monkeypatch: pytest.MonkeyPatch, error: StoreUnavailable, *, accepts: bool
) -> None:
    """An hour decides nothing, whether the database itself is away or refuses other writes, too."""
    receive = pipeline.receive

    def check() -> None:
        if not accepts and clock[0] < 3600:
            raise StoreUnavailable("restarting")

    def refuse(*arguments: Any, **more: Any) -> None:
        clock[0] += 5
        if clock[0] < 3600:
            raise error
        receive(*arguments, **more)

    monkeypatch.setattr(tasks, "_check_store", check)
    monkeypatch.setattr(pipeline, "receive", refuse)
    run(MESSAGES[:1])
    assert ids(store) == ["b1"]
