"""Celery tasks: each reads the clock, makes one pipeline call, and translates errors for Celery."""

from __future__ import annotations

import gc
import logging
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from celery.concurrency import prefork
from celery.exceptions import Reject
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    worker_init,
    worker_process_init,
    worker_ready,
)
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from alertworker import pipeline
from alertworker.app import celery, get_reporter, get_runtime, publish_process
from alertworker.embedded.child import end_with_parent
from alertworker.errors import StoreUnavailable, TransactionRefused
from alertworker.events.batch import QUEUE, TASK
from alertworker.events.message import MessageError
from alertworker.host.library_log import LibraryFilter
from alertworker.host.logs import formatter
from alertworker.pipeline import BrokerMessage
from alertworker.settings import load_settings
from alertworker.text.ids import safe_id
from alertworker.worker.away_log import AwayLog
from alertworker.worker.opaque import PARK
from alertworker.worker.queues import DELIVERIES, declare_queue
from alertworker.worker.shutdown import is_stopping

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_library_filter = LibraryFilter()
#: The maximum wait between two attempts to reach the database, in seconds.
_MAX_WAIT = 5.0
#: For how long a process tries a message that the database refuses while it accepts other writes, in seconds.
_REFUSED: Final = 20.0
#: How often batches are tried together while the database accepts writes.
_ATTEMPTS_TOGETHER = 2


def _check_store() -> None:
    get_runtime().store.check_writes()


_away = AwayLog(check=_check_store)


@celery.task(name=TASK)
def ingest(*, message: BrokerMessage, more: Sequence[BrokerMessage] = ()) -> None:
    """Apply a batch, and ``more`` that waited behind it: in one transaction if possible, else one by one.

    Raises:
        Reject: one of them failed. The broker redelivers all, and those that are applied change nothing then.
    """
    if more and _apply_together([message, *more]):
        return
    failed = None
    for one in (message, *more):
        try:
            _apply(one)
        except Reject as error:
            failed = error
    if failed is not None:
        raise failed


def _apply(message: BrokerMessage) -> None:
    """Apply one batch, or park the message."""
    if _admit(message):
        _decide(message, lambda now: pipeline.receive(message, get_runtime(), now=now))


def _apply_together(messages: Sequence[BrokerMessage]) -> bool:
    """Apply batches in one transaction. Return false if each must be applied alone.

    Raises:
        Reject: the transaction cannot be done although the database accepts writes, for example because of a timeout of
            its statements. The cause may be one of the batches, which must not keep the others from being applied.
    """
    refusal = ""
    try:
        for _ in range(_ATTEMPTS_TOGETHER):
            try:
                return pipeline.receive_together(messages, get_runtime(), now=datetime.now(UTC))
            except StoreUnavailable as error:
                refusal = str(error)
                _away.away(f"message {messages[0].letter_id}", error)
                _persist(messages[0], lambda _now: _check_store())
    except Exception as error:  # noqa: BLE001 - one of them fails alone, too, and is logged then
        _log.warning("%d batches are applied one by one: %s", len(messages), type(error).__name__)
        return False
    _log.warning("%d batches go back to the broker, to be applied one by one: %s", len(messages), refusal)
    raise Reject(refusal, requeue=True)


@celery.task(name=PARK)
def park(*, message: BrokerMessage) -> None:
    """Park a message for which its queue has no task."""
    _park(message, f"no task of the queue {message.queue} takes this message")


@celery.task(name="alertworker.deliver")
def deliver(*, message: BrokerMessage) -> None:
    """Serve one channel's lane, and send the next delivery task if more is due."""
    arguments = _arguments(message)
    channel = arguments.get("channel") if arguments is not None else None
    if not isinstance(channel, str) or safe_id(channel) != channel:
        if arguments is not None:
            _park(message, "the message names no channel")
        return
    if _is_late(message):
        return
    with _away.skipping("delivery"):
        runtime = get_runtime()
        if pipeline.deliver(channel, runtime, now=datetime.now(UTC), stopping=is_stopping):
            runtime.broker.wake([channel])


@celery.task(name="alertworker.sweep")
def sweep(*, message: BrokerMessage) -> None:
    """Do what is due by the clock."""
    if _arguments(message) is None or _is_late(message):
        return
    with _away.skipping("the sweep"):
        pipeline.sweep(get_runtime(), now=datetime.now(UTC))


@celery.task(name="alertworker.report")
def report(*, message: BrokerMessage) -> None:
    """Send the reports that are due."""
    if _arguments(message) is None or _is_late(message):
        return
    with _away.skipping("the report"):
        get_reporter().send_due(now=datetime.now(UTC))


def _arguments(message: BrokerMessage) -> dict[str, object] | None:
    """Return the arguments of one of our own tasks, or ``None`` if the message was parked."""
    if not _admit(message):
        return None
    try:
        arguments = pipeline.arguments_of(message)
    except MessageError as error:
        _park(message, str(error))
        return None
    if message.redelivered:
        _decide(message, lambda _now: get_runtime().store.forget_redeliveries(message.letter_id))
    return arguments


def _is_late(message: BrokerMessage) -> bool:
    """Return whether a message has expired. The next one of its kind does the same work."""
    return message.expires is not None and message.expires < datetime.now(UTC)


def _admit(message: BrokerMessage) -> bool:
    """Return whether a message may be read. Each delivery is counted once, however long the database is away."""
    if not message.redelivered:  # a first delivery needs no query
        return True
    return _decide(message, lambda now: pipeline.admit(message, get_runtime().store, now=now))


def _park(message: BrokerMessage, reason: str) -> None:
    _decide(message, lambda now: pipeline.park(message, reason, get_runtime().store, now=now))


def _decide(message: BrokerMessage, decide: Callable[[datetime], _T]) -> _T:
    """Call ``decide`` until the database is reachable, and return its result.

    Log lines name the message by the id of its dead letter, because its own ids are a producer's text.

    Raises:
        Reject: the database refuses this message only, or anything else failed. The broker redelivers the message.
    """
    try:
        return _persist(message, decide)
    except Reject:
        raise
    except Exception as error:  # noqa: BLE001 - the task's boundary: an exception must not acknowledge a message
        # The broker redelivers the message, and it is parked if it keeps failing. The exception's text may repeat
        # the input, so it is not logged.
        where = "".join(traceback.format_tb(error.__traceback__))
        ids = pipeline.log_ids(message)
        _log.error("message %s failed: %s\n%s", message.letter_id, type(error).__name__, where, extra=ids)
        time.sleep(1)
        raise Reject(type(error).__name__, requeue=True) from None


def _persist(message: BrokerMessage, decide: Callable[[datetime], _T]) -> _T:
    """Call ``decide`` until the database is reachable. While the worker waits it takes no other message.

    Raises:
        Reject: the database refuses this work although it accepts other writes, so the work may be the cause. The
            broker redelivers the message, and `admit` parks one that comes too often.
    """
    wait = 0.1
    refused_at = None
    while True:
        try:
            done = decide(datetime.now(UTC))
        except StoreUnavailable as error:
            _away.away(f"message {message.letter_id}", error)
            if not isinstance(error, TransactionRefused) or not _accepts_writes():
                refused_at = None
            elif refused_at is None:
                refused_at = time.monotonic()
            elif time.monotonic() - refused_at >= _REFUSED:
                _log.warning("message %s goes back to the broker: %s; other writes pass", message.letter_id, error)
                raise Reject(str(error), requeue=True) from None
            time.sleep(wait)
            wait = min(_MAX_WAIT, wait * 2)
        else:
            _away.back()
            return done


def _accepts_writes() -> bool:
    try:
        _check_store()
    except StoreUnavailable:
        return False
    return True


@worker_init.connect
def _declare(**_: object) -> None:
    """Declare every queue before the worker starts: on RabbitMQ it binds to their exchanges first."""
    try:
        with celery.connection_for_write() as connection:
            for queue in celery.amqp.queues.values():
                declare_queue(queue, connection)
    except (OSError, RedisError, KombuError):
        _log.warning("the broker cannot be reached yet; the worker keeps trying")


@worker_process_init.connect
def _bind(**_: object) -> None:
    """End a pool's process when its worker dies. The broker redelivers its messages."""
    end_with_parent(signal.SIGKILL)


@worker_process_init.connect
def _publish_child(**_: object) -> None:
    """Publish the configuration of a pool's process, which applies it. The worker's own process applies none."""
    publish_process(_role(), lambda: datetime.now(UTC))


@worker_ready.connect
def _publish_threads(sender: Any, **_: object) -> None:
    """Publish the configuration of a worker whose tasks run in its own process."""
    if not isinstance(sender.pool, prefork.TaskPool):
        publish_process(_role(), lambda: datetime.now(UTC))


def _role() -> str:
    """Return the role that this worker's queues stand for."""
    queues = celery.amqp.queues.consume_from
    ingests, delivers = QUEUE in queues, DELIVERIES in queues
    return "all" if ingests and delivers else "deliver" if delivers else "ingest"


@worker_process_init.connect
def _tune(**_: object) -> None:
    """Exclude permanent objects from garbage collection, which saves a quarter of the CPU per event."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@after_setup_logger.connect
@after_setup_task_logger.connect
def _set_up_log(logger: logging.Logger, **_: object) -> None:
    """Set the format of Celery's log to that of every other process.

    Celery's two lines for every task are disabled, because a sweep runs each second.
    """
    shared = formatter(load_settings().log_format)
    for handler in (*logger.handlers, *logging.getLogger("multiprocessing").handlers):
        handler.setFormatter(shared)
        if _library_filter not in handler.filters:
            handler.addFilter(_library_filter)
    for name in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)
