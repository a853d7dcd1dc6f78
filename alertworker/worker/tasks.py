"""Celery tasks: read the clock, one pipeline call, translate the answer to Celery."""

from __future__ import annotations

import gc
import logging
import signal
import time
from datetime import UTC, datetime
from typing import Any

from celery import Task
from celery.exceptions import Reject
from celery.signals import after_setup_logger, worker_init, worker_process_init
from kombu.exceptions import KombuError
from pythonjsonlogger.json import JsonFormatter

from alertworker import pipeline
from alertworker.app import celery, get_reporter, get_runtime
from alertworker.embedded.child import end_with_parent
from alertworker.errors import StoreUnavailable
from alertworker.events.batch import TASK
from alertworker.publisher.topology import DEAD_QUEUE, DELIVERY_LIMIT
from alertworker.settings import load_settings
from alertworker.worker.away_log import AwayLog

_log = logging.getLogger("alertworker.tasks")
_away = AwayLog()
#: The longest wait between two questions to a database that is away, in seconds.
_MAX_WAIT = 5.0


@celery.task(bind=True, name=TASK)
def ingest(
    self: Task[Any, Any],
    /,
    *,
    events: Any,
    batch_id: str | None = None,
    producer: str = "",
    sealed_at: str | None = None,
    encoding: str | None = None,
    **_: Any,
) -> None:
    """Apply one batch. While the database is away it waits in place, and so takes nothing more from the broker."""
    delivery: dict[str, Any] = dict(self.request.delivery_info or {})
    dead = delivery.get("routing_key") == DEAD_QUEUE
    batch = pipeline.BatchMessage(
        batch_id=str(batch_id or self.request.id)[:256],
        events=events,
        encoding=encoding,
        producer=producer[:256],
        sealed_at=_moment(sealed_at),
        redelivered=bool(delivery.get("redelivered")),
        given_up=f"delivered more than {DELIVERY_LIMIT} times" if dead else None,
    )
    wait = 0.1
    while True:
        try:
            pipeline.ingest(batch, get_runtime(), now=datetime.now(UTC))
        except StoreUnavailable as error:
            _away.away(f"batch {batch.batch_id}", error)
            time.sleep(wait)
            wait = min(_MAX_WAIT, wait * 2)
        except Exception as error:
            # The task's boundary: an exception must not acknowledge the batch. It comes again, and is parked when it
            # keeps failing.
            _log.exception("batch %s failed", batch.batch_id)
            time.sleep(1)
            raise Reject(str(type(error).__name__), requeue=True) from error
        else:
            _away.back()
            return


@celery.task(name="alertworker.deliver")
def deliver(*, channel: str, **_: Any) -> None:
    """Work on one channel's lane, and come back when there is more."""
    with _away.skipping("delivery"):
        runtime = get_runtime()
        if pipeline.deliver(channel, runtime, now=datetime.now(UTC)):
            runtime.line.wake([channel])


@celery.task(name="alertworker.sweep")
def sweep(**_: Any) -> None:
    """Do what is due by the clock."""
    with _away.skipping("the sweep"):
        pipeline.sweep(get_runtime(), now=datetime.now(UTC))


@celery.task(name="alertworker.report")
def report(**_: Any) -> None:
    """Send the reports that are due."""
    with _away.skipping("the report"):
        get_reporter().look(now=datetime.now(UTC))


def _moment(text: str | None) -> datetime | None:
    """Read a batch's time; one that cannot be read says nothing about its age."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


@worker_init.connect
def _declare(**_: Any) -> None:
    """Declare every queue before the worker looks at them: on RabbitMQ it binds to their exchanges first of all."""
    try:
        with celery.connection_for_write() as connection:
            for queue in celery.amqp.queues.values():
                queue(connection.default_channel).declare()
    except (OSError, KombuError):
        _log.warning("the broker cannot be reached yet; the worker keeps trying")


@worker_process_init.connect
def _bind(**_: Any) -> None:
    """Leave no process of a pool behind its worker, however that died: what it has at hand comes again."""
    end_with_parent(signal.SIGKILL)


@worker_process_init.connect
def _tune(**_: Any) -> None:
    """Keep the collector off what lives for ever: a quarter less CPU per event."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@after_setup_logger.connect
def _set_up_log(logger: logging.Logger, **_: Any) -> None:
    """Write JSON where it is wanted, and leave out Celery's two lines for every task: a sweep a second is too much."""
    if load_settings().log_format == "json":
        for handler in logger.handlers:
            handler.setFormatter(
                JsonFormatter(
                    ("asctime", "levelname", "name", "processName", "message"),
                    style=",",
                    rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "processName": "process"},
                )
            )
    for name in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)
