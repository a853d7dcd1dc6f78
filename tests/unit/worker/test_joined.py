"""Batches that wait for a process of the pool are joined in one task, and end with it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import TaskRevokedError
from kombu.asynchronous.semaphore import LaxBoundedSemaphore

from alertworker.events.batch import QUEUE, TASK
from alertworker.pipeline import BrokerMessage, Oversize
from alertworker.publisher.topology import DEAD_QUEUE
from alertworker.worker.joined import MAX_JOINED, MAX_JOINED_BYTES, Joiner
from alertworker.worker.lost_acks import Request


class Pool:
    """Celery's slots for processes, and the tasks that got one. `end` ends the first task."""

    def __init__(self, processes: int) -> None:
        self.slots = LaxBoundedSemaphore(processes)
        self.running: list[Any] = []
        self.lined_up = 0

    def submit(self, request: Any) -> None:
        """Do what Celery's worker does with a request (``WorkController._process_task_sem``)."""
        self.lined_up += 1
        self.slots.acquire(self._start, request)

    def _start(self, request: Any) -> None:
        try:
            request.execute_using_pool(self)
        except TaskRevokedError:
            self.slots.release()

    def end(self) -> None:
        self.running.pop(0)
        self.slots.release()


class Waiting(Request):
    """A request with a message, which a pool may run. ``ends`` records how it ended."""

    def __init__(self, name: str, message: BrokerMessage, ends: list[tuple[str, str]] | None = None) -> None:
        self.id, self.name = str(message.message_id), name  # type: ignore[misc]
        self._kwargs = {"message": message}
        self._message = SimpleNamespace(acknowledged=True, channel=None)
        self._connection_errors = ()
        self._on_ack = self._note(ends, "acknowledged")
        self._on_reject = self._note(ends, "rejected")

    def _note(self, ends: list[tuple[str, str]] | None, how: str) -> Callable[..., None]:
        return lambda *_: None if ends is None else ends.append((self.id, how))

    def send_event(self, *_: Any, **__: Any) -> None:
        """Send no event."""

    def execute_using_pool(self, pool: Any, **_: Any) -> Any:
        """Occupy the slot."""
        pool.running.append(self.messages)

    @property
    def messages(self) -> list[str | None]:
        """Return the ids of the messages that the task gets."""
        return [one.message_id for one in (self.kwargs["message"], *self.kwargs.get("more", ()))]


def message(name: object, **more: Any) -> BrokerMessage:
    return BrokerMessage(QUEUE, **{"body": b"{}", "message_id": str(name), **more})


def submit(pool: Pool, *messages: BrokerMessage) -> Joiner:
    joiner = Joiner(pool.submit)
    for one in messages:
        joiner.submit(Waiting(TASK, one))
    return joiner


def test_a_batch_waits_for_nothing_while_a_process_is_free() -> None:
    pool = Pool(2)
    submit(pool, message(1), message(2))
    assert pool.running == [["1"], ["2"]]


def test_a_process_that_becomes_free_gets_the_oldest_batches_together() -> None:
    """Their order stays, and the slots of joined batches are free again."""
    pool = Pool(2)
    joiner = submit(pool, *map(message, range(8)))
    pool.end()
    assert pool.running == [["1"], ["2", "3", "4", "5"]]
    pool.end()
    assert pool.running == [["2", "3", "4", "5"], ["6", "7"]]
    pool.end()
    pool.end()
    assert (pool.running, pool.slots.value) == ([], 2)
    joiner.submit(Waiting(TASK, message("later")))
    assert pool.running == [["later"]]


def test_a_long_backlog_leaves_no_turns_behind() -> None:
    """Celery ends turns without a batch within each other. Many of them exceeded Python's recursion limit."""
    pool = Pool(1)
    joiner = submit(pool, *map(message, range(9)))
    for number in range(1_000):
        pool.end()
        for copy in range(len(pool.running[0])):  # acknowledged messages make room for as many
            joiner.submit(Waiting(TASK, message(f"{number}-{copy}")))
    while pool.running:
        pool.end()
    assert pool.slots.value == 1
    assert pool.lined_up == 1 + 1_000 + 2


@pytest.mark.parametrize(
    ("waiting", "first"),
    [
        ([message(1, redelivered=True), message(2)], ["1"]),
        ([message(1), message(2, redelivered=True)], ["1"]),
        ([message(1), BrokerMessage(DEAD_QUEUE, body=b"{}", message_id="2")], ["1"]),
        ([message(1), message(2, oversize=Oversize(2**30, "0" * 64)), message(3)], ["1"]),
        ([message(1), message(2, body=b"x" * MAX_JOINED_BYTES)], ["1"]),
        ([message(1), message(2, body=b"x" * (MAX_JOINED_BYTES - 2))], ["1", "2"]),
        ([message(number) for number in range(9)], [str(number) for number in range(MAX_JOINED)]),
    ],
)
def test_few_small_batches_of_first_deliveries_are_joined(waiting: list[BrokerMessage], first: list[str]) -> None:
    """A redelivered one may have killed its worker, so it is alone."""
    pool = Pool(1)
    submit(pool, message(0), *waiting)
    pool.end()
    assert pool.running == [first]


def test_other_tasks_keep_their_place_and_are_alone() -> None:
    pool = Pool(1)
    joiner = submit(pool, message(0), message(1))
    joiner.submit(Waiting("alertworker.sweep", message("sweep")))
    joiner.submit(Waiting(TASK, message(2)))
    pool.end()
    pool.end()
    assert pool.running == [["sweep"]]


def test_a_lost_connection_forgets_what_waits() -> None:
    """The broker redelivers it on the next connection."""
    pool = Pool(1)
    joiner = submit(pool, message(0), message(1))
    joiner.clear()
    pool.end()
    assert (pool.running, pool.slots.value) == ([], 1)


@pytest.mark.parametrize(("end", "how"), [("acknowledge", "acknowledged"), ("reject", "rejected")])
def test_joined_requests_end_as_their_task_does_and_not_before(end: str, how: str) -> None:
    """A task that is done acknowledges all its messages. One whose process is lost returns all."""
    ends: list[tuple[str, str]] = []
    requests = [Waiting(TASK, message(number), ends) for number in range(3)]
    pool = Pool(0)
    joiner = Joiner(pool.submit)
    for request in requests:
        joiner.submit(request)
    first = joiner.take()
    assert first is requests[0]
    assert ends == []
    for _ in range(2):  # the second time changes nothing
        getattr(first, end)()
    assert sorted(ends) == [("0", how), ("1", how), ("2", how)]
