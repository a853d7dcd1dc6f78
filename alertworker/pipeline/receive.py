"""Receive: a message as the broker gave it becomes a batch, or is parked with its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from alertworker.events.batch import TASK
from alertworker.events.message import Call, MessageError, read_message
from alertworker.pipeline.batches import BatchMessage
from alertworker.pipeline.ingest import ingest
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Store
from alertworker.text.format import parse_moment
from alertworker.text.ids import safe_id


@dataclass(frozen=True, slots=True)
class BrokerMessage:
    """A message from one of our queues: its bytes, and the few facts beside them that count.

    ``task`` and ``message_id`` are what its headers say. ``redelivered`` says that a worker may have worked on it
    before, and ``given_up`` why the broker gave it up, if it did.
    """

    queue: str
    body: bytes = field(repr=False)
    task: str | None = field(default=None, repr=False)
    message_id: str | None = field(default=None, repr=False)
    redelivered: bool = False
    given_up: str | None = None

    @property
    def key(self) -> str:
        """Return the message's own id, or one made of its bytes: the same whenever it comes."""
        return safe_id(self.message_id) if self.message_id else f"sha256-{hashlib.sha256(self.body).hexdigest()}"

    @property
    def letter_id(self) -> str:
        """Return the id of its dead letter, a UUID of its queue, id and bytes; log lines name the message by it."""
        digest = hashlib.sha256(f"{self.queue}\0{self.key}\0".encode() + self.body).digest()
        return str(UUID(bytes=digest[:16], version=5))


def receive(message: BrokerMessage, runtime: Runtime, *, now: datetime) -> None:
    """Apply a message of the queues of batches once, or park it.

    Raises:
        StoreUnavailable: the database cannot be asked; the message must stay with the broker.
    """
    try:
        batch = _batch(message)
    except MessageError as error:
        park(message, str(error), runtime.store, now=now)
    else:
        ingest(batch, runtime, now=now)


def park(message: BrokerMessage, reason: str, store: Store, *, now: datetime) -> None:
    """Put a message that cannot be read with the dead letters, with its bytes; once, however often it comes.

    Raises:
        StoreUnavailable: the database cannot be asked; the message must stay with the broker.
    """
    letter_id, key = message.letter_id, message.key
    store.run(lambda tx: tx.dead_message(letter_id, reason, message.body, message_id=key, now=now))


def log_ids(message: BrokerMessage) -> dict[str, str]:
    """Return the ids of a message that are fields of a log line: its batch's.

    Only a UUID is one, as publishers of ours make them. Any other id is a producer's text, which no log line repeats.
    """
    try:
        return {"batch_id": str(UUID(_batch(message).batch_id))}
    except (MessageError, ValueError):
        return {}


def arguments_of(message: BrokerMessage) -> dict[str, object]:
    """Return the keyword arguments of one of our own tasks.

    Raises:
        MessageError: it cannot be read.
    """
    return read_message(message.body).arguments


def _batch(message: BrokerMessage) -> BatchMessage:
    call = read_message(message.body)
    if (message.task or call.task) not in (None, TASK):
        raise MessageError(f"the queue takes messages of the task {TASK} only")
    if "events" not in call.arguments:
        raise MessageError("the message has no events")
    given = call.arguments
    encoding, producer = given.get("encoding"), given.get("producer")
    return BatchMessage(
        batch_id=_batch_id(message, call),
        events=given["events"],
        encoding=encoding if encoding is None or isinstance(encoding, str) else "unknown",
        producer=safe_id(producer) if isinstance(producer, (str, float, int)) else "",
        sealed_at=parse_moment(given.get("sealed_at")),  # an unreadable time says nothing about the age
        redelivered=message.redelivered,
        given_up=message.given_up,
    )


def _batch_id(message: BrokerMessage, call: Call) -> str:
    for found in (call.arguments.get("batch_id"), message.message_id, call.id):
        if found is not None and not isinstance(found, (str, float, int)):
            raise MessageError("batch_id must be a string")
        if found not in (None, ""):
            return safe_id(found)
    return message.key
