"""Joined batches: a task of ingest gets the batches that waited for a process of the pool, and may apply them together.

Celery's pool has one slot for each process, and a request waits in line for one. While batches wait, one
`PoolTurn` is in the line. A turn that gets a slot takes the oldest batch that waits, and those behind it. While a slot
is free nothing waits, so each batch is a task of its own, and no batch waits for others to come.

The worker's main process holds the messages of all these batches, as with the package celery-batches. So it renews
their notes, acknowledges them when the task is done, and returns them if the process of the task is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from celery.exceptions import TaskRevokedError

from alertworker.events.batch import TASK
from alertworker.pipeline import BrokerMessage
from alertworker.publisher.topology import DEAD_QUEUE
from alertworker.worker.lost_acks import Request

#: How many batches one task gets. More make an event little cheaper, and others wait longer for the rows.
MAX_JOINED: Final = 4
#: The maximum sum of their messages, in bytes. 500 calls have 10 to 50 KiB.
MAX_JOINED_BYTES: Final = 512 * 1024
#: How many messages the main process holds for each process of the pool: those of its task, and the next.
PREFETCH: Final = 2 * MAX_JOINED


class Joiner:
    """The line of batches that wait for a slot, the oldest first. ``submit`` is Celery's function for a request."""

    def __init__(self, submit: Callable[[Any], None]) -> None:
        self._submit = submit
        self._waiting: deque[Request] = deque()
        self._is_in_line = False

    def submit(self, request: Request) -> None:
        """Put a request into the pool's line: a turn for a batch, or the request itself of any other task."""
        if request.name != TASK:
            self._submit(request)
            return
        self._waiting.append(request)
        self.line_up()

    def line_up(self) -> None:
        """Put a turn into the pool's line if batches wait, unless one is there.

        A turn for each batch would leave most of them without one. Celery ends such turns within each other, so a few
        hundred would exceed Python's recursion limit and end the worker.
        """
        if self._waiting and not self._is_in_line:
            self._is_in_line = True
            self._submit(PoolTurn(self))

    def clear(self) -> None:
        """Forget the batches that wait and their turn, because their connection is lost. The broker redelivers them."""
        self._waiting.clear()
        self._is_in_line = False

    def take(self) -> Request | None:
        """Return the oldest request, with those behind it that may be joined. Return ``None`` if none waits.

        A redelivered batch is alone, also one that RabbitMQ has dead-lettered: its worker may have died of it.
        """
        self._is_in_line = False
        if not self._waiting:
            return None
        first = self._waiting.popleft()
        size, joined = _size(first), list[Request]()
        while self._waiting and size is not None and len(joined) + 1 < MAX_JOINED:
            more = _size(self._waiting[0])
            if more is None or size + more > MAX_JOINED_BYTES:
                break
            size += more
            joined.append(self._waiting.popleft())
        first.join(joined)
        return first


class PoolTurn:
    """A place in the pool's line. Celery calls it as it calls a request."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner

    def execute_using_pool(self, pool: Any) -> None:
        """Pass the oldest batches to the pool. Those that still wait get the next turn.

        Raises:
            TaskRevokedError: the connection of the batches was lost. Celery then releases the slot.
        """
        request = self._joiner.take()
        if request is None:
            raise TaskRevokedError("no batch waits")
        request.execute_using_pool(pool)
        self._joiner.line_up()


def _size(request: Request) -> int | None:
    """Return the size of a batch's message in bytes, ``None`` if it must be alone."""
    message: BrokerMessage = request.kwargs["message"]
    is_alone = message.redelivered or message.queue == DEAD_QUEUE or message.oversize is not None
    return None if is_alone else len(message.body)
