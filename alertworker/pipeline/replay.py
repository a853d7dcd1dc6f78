"""Replay: what nobody would retry, once more; harmless however often it is asked for."""

from __future__ import annotations

from datetime import datetime

from alertworker.events.compression import ZSTD
from alertworker.ports import Broker, Letters


def replay(letter_id: str, letters: Letters, line: Broker, *, now: datetime) -> bool:
    """Replay one dead letter; return false if it, or its notification, no longer exists.

    A notification keeps its id and its body, a batch its id, a message both. A dead event's batch was applied without
    it, so it travels under an id made of its letter's. Each of them is applied once, also when this was cut off and is
    done again. A message goes to the queue of batches.

    Raises:
        LineUnavailable: nothing was promised, and the letter is kept.
    """
    letter = letters.dead_letter(letter_id)
    if letter is None:
        return False
    if letter.kind == "notification":
        return letters.requeue(letter, now=now)
    if letter.kind == "message":
        line.resend_message(letter.batch_id or letter.id, letter.payload)
        letters.discard_resent(letter)
        return True
    if letter.kind == "batch" and letter.batch_id is not None:
        letters.release_batch(letter.batch_id)
        line.resend(letter.batch_id, letter.payload, "zstd" if letter.payload.startswith(ZSTD) else None)
    else:
        line.resend(f"replay-{letter.id}", b"[" + letter.payload + b"]", None)
    return letters.discard(letter.id)
