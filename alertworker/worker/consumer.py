"""The worker's consumer: Celery's, with joined batches, and with an end that suits threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.concurrency.prefork import TaskPool as Processes
from celery.worker.consumer import Consumer as CeleryConsumer

from alertworker.worker.joined import Joiner


class Consumer(CeleryConsumer):
    """Celery's consumer, which passes waiting batches to one task, and cancels tasks only where that is possible.

    A thread cannot be cancelled. Celery tries to cancel it all the same, and then stops with a traceback (celery 5.6,
    ``BasePool.terminate_job``). A thread ends its attempt, which has a time limit of its own.
    """

    def __init__(self, on_task_request: Callable[[Any], None], *args: Any, **options: Any) -> None:
        self._joiner = Joiner(on_task_request)
        super().__init__(self._joiner.submit, *args, **options)

    def on_close(self) -> None:
        """Forget what waits, because the connection is lost."""
        self._joiner.clear()
        super().on_close()

    def cancel_active_requests(self) -> None:
        """Cancel the tasks of a pool of processes. The broker redelivers their messages."""
        if isinstance(self.pool, Processes):
            super().cancel_active_requests()
