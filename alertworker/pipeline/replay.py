"""Replay: send or apply a dead letter again. A repeated replay does no harm."""

from __future__ import annotations

from datetime import datetime

from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.events.compression import ZSTD
from alertworker.events.msgpack_events import as_item
from alertworker.ports import Broker, Letters


def replay(letter_id: str, letters: Letters, broker: Broker, *, now: datetime) -> bool:
    """Replay one dead letter. Return false if the letter, or its notification, no longer exists.

    A notification keeps its id and its body, a batch its id, a message both. The batch of a dead event was applied
    without the event, so the event is sent as a batch with an id made of the letter's id. Each of these is applied
    once, even if a replay is interrupted and repeated. A message goes to the queue of batches.

    Raises:
        BrokerUnavailable: the broker did not accept the message; the letter is kept.
    """
    letter = letters.find(letter_id)
    if letter is None:
        return False
    if letter.kind == DeadLetterKind.NOTIFICATION:
        return letters.requeue(letter, now=now)
    if letter.kind == DeadLetterKind.MESSAGE:
        broker.resend_message(letter.batch_id or letter.id, letter.payload)
        letters.discard_resent(letter)
        return True
    if letter.kind == DeadLetterKind.BATCH and letter.batch_id is not None:
        letters.release_batch(letter.batch_id)
        broker.resend(letter.batch_id, letter.payload, "zstd" if letter.payload.startswith(ZSTD) else None)
    else:
        broker.resend(f"replay-{letter.id}", b"[" + as_item(letter.payload) + b"]", None)
    return letters.discard(letter.id)
