"""The broker, as the pipeline uses it: batches go by a producer's own transport, wakes by Celery's connections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from alertworker.errors import LineUnavailable
from alertworker.events import Event
from alertworker.events.base import new_id
from alertworker.events.batch import SealedBatch, seal
from alertworker.events.compression import compress
from alertworker.publisher import BrokerTransport


class CeleryBroker:
    """The broker that ``app`` is configured with. Threads may share it."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._transport = BrokerTransport(app.conf.broker_url)
        self._lock = Lock()

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would."""
        encoded = [event.model_dump_json(exclude_none=True).encode() for event in events]
        self.send(seal(encoded, batch_id=str(new_id()), producer="worker", sealed_at=datetime.now(UTC)))

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Send a batch's events as they are, under this id."""
        body = events if encoding == "zstd" else compress(events)
        self.send(SealedBatch(batch_id, "replay", datetime.now(UTC), count=0, body=body))

    def wake(self, channels: Sequence[str]) -> None:
        """Have the lanes of these channels looked at soon."""
        for channel in channels:
            self._send("alertworker.deliver", {"channel": channel}, expires=30)

    def send(self, batch: SealedBatch) -> None:
        """Send a sealed batch as it is; when this returns, the broker has it.

        Raises:
            LineUnavailable: it may or may not have arrived.
        """
        with self._lock:
            self._transport.send(batch)

    def ask(self) -> None:
        """Ask the broker whether it is there, on a connection of its own.

        Raises:
            LineUnavailable: when it does not answer.
        """
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=3)
        except (OSError, KombuError) as error:
            raise LineUnavailable(f"the broker cannot be reached ({type(error).__name__})") from None

    def _send(self, task: str, arguments: dict[str, Any], **options: Any) -> None:
        try:
            self._app.send_task(task, kwargs=arguments, ignore_result=True, **options)
        except (OSError, KombuError) as error:
            raise LineUnavailable(f"the broker cannot be reached ({type(error).__name__})") from None
