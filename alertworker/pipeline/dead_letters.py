"""Parked batches: each is stored as one dead letter with its bytes, however often it is delivered."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.events.base import new_id
from alertworker.events.batch import MAX_BATCH_BYTES
from alertworker.events.compression import ZSTD, CompressionError, compress, decompress
from alertworker.pipeline.batches import BatchMessage
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.batches import BatchClaim
from alertworker.text.ids import safe_id

#: A parked batch that is larger than this, in bytes, is stored compressed.
_MAX_PLAIN: Final = 64 * 1024
#: A batch id that ``POST /v1/events`` derives from an Idempotency-Key and a body.
_HTTP_ID: Final = re.compile(r"http:[0-9a-f]{40}")


def park_batch(batch: BatchMessage, reason: str, runtime: Runtime, *, now: datetime) -> None:
    """Store a whole batch as one dead letter with its bytes, once, however often the batch is delivered."""
    payload = _kept(batch)

    def work(tx: Transaction) -> None:
        match tx.batches.claim_batch(batch.batch_id, batch.producer, 0, digest=batch.digest, now=now):
            case BatchClaim.NEW:
                tx.dead_letter(DeadLetterKind.BATCH, reason, payload, batch_id=batch.batch_id, position=None, now=now)
            case BatchClaim.CONFLICT:
                park_conflict(tx, batch, now=now)

    runtime.store.run(work)


def park_conflict(tx: Transaction, batch: BatchMessage, *, now: datetime) -> None:
    """Park a batch whose id another batch has used: once, under an id of its own, so that it can be replayed."""
    reason = f"another batch was applied or parked under the same id, {batch.batch_id}; replay applies this one"
    # A producer can use the first of these ids for another batch, too.
    for own_id in (safe_id(f"{batch.batch_id}~{batch.digest}"), str(new_id())):
        claimed = tx.batches.claim_batch(own_id, batch.producer, 0, digest=batch.digest, now=now)
        if claimed is BatchClaim.NEW:
            tx.dead_letter(DeadLetterKind.BATCH, reason, _kept(batch), batch_id=own_id, position=None, now=now)
        if claimed is not BatchClaim.CONFLICT:
            return


def digest_of(batch: BatchMessage) -> str | None:
    """Return a digest of the events' JSON, ``None`` if the batch id already stands for them.

    The same JSON may come compressed in another way: a replay compresses it, and so may a producer that sends it again.

    The HTTP endpoint derives such ids from an Idempotency-Key and the client's body. A digest would differ between two
    requests with the same body, because the endpoint gives its events a new time with every request.
    """
    if batch.producer == "http" and _HTTP_ID.fullmatch(batch.batch_id):
        return None
    content = _bytes_of(batch.events)
    if content.startswith(ZSTD):
        with suppress(CompressionError):
            content = decompress(content, MAX_BATCH_BYTES)
    return blake2b(content, digest_size=16).hexdigest()


def _kept(batch: BatchMessage) -> bytes:
    """Return the payload of a batch's dead letter: its bytes, compressed if there are many."""
    payload = _bytes_of(batch.events)
    return payload if len(payload) <= _MAX_PLAIN or payload.startswith(ZSTD) else compress(payload)


def _bytes_of(events: object) -> bytes:
    """Return the bytes of events of any type. It never raises, because parking must not fail."""
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode("utf-8", "surrogatepass")
    try:
        return to_json(events, fallback=str, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        return f"({type(events).__name__} that is not JSON)".encode()
