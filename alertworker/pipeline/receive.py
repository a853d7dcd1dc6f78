"""Receive: turn a message from the broker into a batch, or park it with its bytes.

`admit` comes first for a message of any queue. It counts redeliveries before anything reads the message, because
reading it may be what kills the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from alertworker.events.batch import TASK
from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES, MessageError, TaskCall, read_message, read_task
from alertworker.pipeline.batches import BatchMessage
from alertworker.pipeline.ingest import ingest, ingest_together
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Store, Transaction
from alertworker.text.format import parse_moment
from alertworker.text.ids import safe_id

#: A message that is redelivered more often than this is parked: it probably kills its worker each time.
MAX_REDELIVERIES: Final = 5


@dataclass(frozen=True, slots=True)
class Oversize:
    """The size in bytes and the SHA-256 of a message of which only the start is kept.

    A message that Redis itself cut has a SHA-1 of its first and last 64 KiB, because Redis has no SHA-256.
    """

    size: int
    digest: str

    @property
    def reason(self) -> str:
        """Return the reason for which the message is parked."""
        whole = "SHA-256 of the whole message" if len(self.digest) == 64 else "SHA-1 of its first and last 64 KiB"
        return (
            f"a message of {self.size} bytes is over the limit of {MAX_MESSAGE_BYTES}; only the first {KEPT_BYTES} "
            f"bytes are kept; the {whole} is {self.digest}"
        )


@dataclass(frozen=True, slots=True)
class BrokerMessage:
    """A message from one of our queues: its bytes, and the few of its properties that matter.

    ``task``, ``message_id`` and ``expires`` come from its headers. ``redelivered`` means that a worker may have worked
    on it before. ``oversize`` is set if the message is too large, and ``body`` is then only its start.
    """

    queue: str
    body: bytes = field(repr=False)
    task: str | None = field(default=None, repr=False)
    message_id: str | None = field(default=None, repr=False)
    redelivered: bool = False
    oversize: Oversize | None = None
    expires: datetime | None = None

    @property
    def key(self) -> str:
        """Return the message's own id, or one made of its bytes. It is the same for each delivery."""
        if self.message_id:
            return safe_id(self.message_id)
        return f"sha256-{self.oversize.digest if self.oversize else hashlib.sha256(self.body).hexdigest()}"

    @property
    def letter_id(self) -> str:
        """Return the id of its dead letter, a UUID made of queue, id and bytes. Log lines use it, too."""
        digest = hashlib.sha256(f"{self.queue}\0{self.key}\0".encode() + self.body).digest()
        return str(UUID(bytes=digest[:16], version=5))


def admit(message: BrokerMessage, store: Store, *, now: datetime) -> bool:
    """Return whether a message may be read; park it unread if the broker redelivers it too often.

    Raises:
        StoreUnavailable: the database cannot be asked; the message must stay with the broker.
    """
    if message.redelivered and store.count_redelivery(message.letter_id, now=now) > MAX_REDELIVERIES:
        park(message, f"not applied after {MAX_REDELIVERIES} redeliveries", store, now=now)
        return False
    return True


def receive(message: BrokerMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply an admitted message from a queue of batches once, or park it.

    Raises:
        StoreUnavailable: the database cannot be asked; the message must stay with the broker.
    """
    try:
        batch = _batch(message)
    except MessageError as error:
        park(message, str(error), runtime.store, now=now)
    else:
        ingest(batch, runtime, now=now)
        if message.redelivered:
            runtime.store.forget_redeliveries(message.letter_id)


def receive_together(messages: Sequence[BrokerMessage], runtime: Runtime, *, now: datetime) -> bool:
    """Apply the batches of messages that are delivered for the first time, oldest first, in one transaction.

    Return false if each must be received alone. Nothing is changed then.

    Raises:
        StoreUnavailable: the database cannot be asked; the messages must stay with the broker.
    """
    try:
        batches = [_batch(message) for message in messages]
    except MessageError:
        return False
    return ingest_together(batches, runtime, now=now)


def park(message: BrokerMessage, reason: str, store: Store, *, now: datetime) -> None:
    """Store a message with its bytes as one dead letter, however often it is delivered.

    Its redeliveries are forgotten, so that a replay gets as many of them as a new message.

    Raises:
        StoreUnavailable: the database cannot be asked; the message must stay with the broker.
    """
    letter_id, key = message.letter_id, message.key

    def work(tx: Transaction) -> None:
        tx.dead_message(letter_id, reason, message.body, message_id=key, now=now)
        if message.redelivered:
            tx.batches.forget_redeliveries(letter_id)

    store.run(work)


def log_ids(message: BrokerMessage) -> dict[str, str]:
    """Return the batch id of a message as a field for log lines, if there is one (`BatchMessage.log_ids`).

    It raises nothing: it is called for a message that has just failed, which may fail here, too.
    """
    try:
        return _batch(message).log_ids
    except Exception:  # noqa: BLE001 - the failure itself is logged by the caller
        return {}


def arguments_of(message: BrokerMessage) -> dict[str, object]:
    """Return the keyword arguments of an admitted message to one of our own tasks.

    Raises:
        MessageError: the message cannot be read.
    """
    return read_task(_whole(message)).arguments


def _whole(message: BrokerMessage) -> bytes:
    """Return the body of a message, unless only its start was kept."""
    if message.oversize is not None:
        raise MessageError(message.oversize.reason)
    return message.body


def _batch(message: BrokerMessage) -> BatchMessage:
    call = read_message(_whole(message))
    if (message.task or call.task) not in (None, TASK):
        raise MessageError(f"the queue takes messages of the task {TASK} only")
    if call.events is None:
        raise MessageError("the message has no events")
    given = call.arguments
    encoding, producer = given.get("encoding"), given.get("producer")
    return BatchMessage(
        batch_id=_batch_id(message, call),
        events=call.events,
        encoding=encoding if encoding is None or isinstance(encoding, str) else "unknown",
        producer=safe_id(producer) if isinstance(producer, (str, float, int)) else "",
        sealed_at=parse_moment(given.get("sealed_at")),  # an unreadable time does not give the age
        size=len(message.body),
    )


def _batch_id(message: BrokerMessage, call: TaskCall) -> str:
    for found in (call.arguments.get("batch_id"), message.message_id, call.id):
        if found is not None and not isinstance(found, (str, float, int)):
            raise MessageError("batch_id must be a string")
        if found not in (None, ""):
            return safe_id(found)
    return message.key
