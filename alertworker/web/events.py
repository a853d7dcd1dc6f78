"""``POST /v1/events``: receive events as JSON, or a batch that a publisher has sealed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Final, TypedDict
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker.events import Event
from alertworker.events.base import MAX_EVENTS, MAX_NAME, new_id
from alertworker.events.batch import (
    MAX_BATCH_BYTES,
    SEALED_TYPE,
    WORKER,
    BatchError,
    BatchTooLargeError,
    SealedBatch,
    seal,
)
from alertworker.events.plain_body import decode_body
from alertworker.integrations.litellm.outgoing import outgoing_json
from alertworker.web.addresses import address_of
from alertworker.web.context import Context, context_of
from alertworker.web.errors import Refusal
from alertworker.web.event_rate import Charge
from alertworker.web.request_body import decompress
from alertworker.web.sealed_names import bound_batch

#: The largest body of plain events, in bytes, compressed and decompressed.
MAX_BYTES: Final = 8 * 1024 * 1024
#: How much CPU time the search for secrets in one body may take, in seconds. It searches about 300 characters in 1 ms.
#: As many bodies as are decoded at once must all get their answer within `DECODE_SECONDS`, or clients repeat them.
MAX_REDACTING: Final = 2.5
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


class EventError(TypedDict):
    """Why an event is invalid, and its index in the body."""

    index: int
    error: str


@dataclass(frozen=True, slots=True)
class Received:
    """The contents of a body: its valid events as a sealed batch, and an error with an index for each invalid event."""

    batch: SealedBatch | None
    errors: list[EventError]
    #: How many names were above the bound of their address.
    other_names: int = 0


async def post_events(request: Request) -> Response:
    """Receive events, and respond when the broker has confirmed them."""
    context = context_of(request)
    context.keys.require_publisher(request)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == SEALED_TYPE:
        return await _take_sealed(request, context)
    key = _header(request, "idempotency-key")
    async with context.room.read(request, MAX_BYTES) as body:
        encoding = ",".join(request.headers.getlist("content-encoding"))
        # A compressed body may hold any number of events, so it is not taken for a heartbeat.
        charge = _take(request, context, 2 if encoding else 1, len(body))
        bound = partial(context.names.bounded, address=address_of(request), now=time.monotonic())
        read = partial(receive, body, encoding, key, bound=bound, charge=charge.at_least, now=datetime.now(UTC))
        received = await context.decoders.run(read, address_of(request))
        if received.batch is None:
            return JSONResponse({"error": "the body has no valid event; see errors", "errors": received.errors}, 422)
        await context.broker_queue.put(received.batch)
    _count_names(context, received.other_names)
    accepted = {"batch_id": received.batch.batch_id, "accepted": received.batch.count, "errors": received.errors}
    return JSONResponse(accepted, 202)


def receive(
    body: bytes,
    encoding: str,
    key: str | None,
    stopped: threading.Event | None = None,
    *,
    bound: Callable[[Sequence[Event]], tuple[list[Event], int]] = lambda events: (list(events), 0),
    charge: Callable[[int, int], None] = lambda _count, _size: None,
    now: datetime,
) -> Received:
    """Read a body of plain events and seal the valid ones, without secrets.

    ``key`` is the request's Idempotency-Key. The same key with the same body is the same batch, which is applied once.
    The same key with another body is another batch, so two producers that choose the same key lose no events.
    ``bound`` returns the events with a bounded number of names, and how many names it replaced. ``charge`` is called
    with the number of events and bytes as soon as each is known, also of a body that is then refused.

    Raises:
        Refusal: the body has no events, or exceeds a limit; or ``stopped`` is set, because the request was answered.
    """
    whole = decompress(body, encoding, MAX_BYTES)
    charge(0, len(whole))
    try:
        decoded = decode_body(whole)
    except BatchTooLargeError as error:
        raise Refusal(413, str(error)) from None
    except BatchError as error:
        raise Refusal(422, str(error)) from None
    charge(len(decoded.events) + len(decoded.rejected), len(whole))
    if not decoded.events and not decoded.rejected:
        raise Refusal(
            422, "the body has no events; expected one JSON object, an array of objects, or one object a line"
        )
    errors: list[EventError] = [{"index": bad.index, "error": bad.reason} for bad in decoded.rejected]
    if not decoded.events:
        return Received(None, errors)
    events, other_names = bound(decoded.events)
    encoded = _without_secrets(events, stopped or threading.Event())
    batch_id = str(new_id()) if key is None else f"http:{_digest(key.encode(), whole)}"
    return Received(seal(encoded, batch_id=batch_id, producer="http", sealed_at=now), errors, other_names)


def _without_secrets(events: Iterable[Event], stopped: threading.Event) -> list[bytes]:
    """Return the events as JSON without secrets.

    Raises:
        Refusal: 413 when their texts take too long, 503 when ``stopped`` is set.
    """
    ends = time.thread_time() + MAX_REDACTING
    encoded: list[bytes] = []
    for event in events:
        if stopped.is_set():
            raise Refusal(503, "the request was answered before its events were read")
        if time.thread_time() > ends:
            raise Refusal(413, "the texts of the events take too long to be searched for secrets; send less at a time")
        encoded.append(outgoing_json(event))
    return encoded


async def _take_sealed(request: Request, context: Context) -> Response:
    """Forward a publisher's batch with a bounded number of names. The worker decodes it like one from the broker."""
    try:
        batch_id = str(UUID(request.headers["alertworker-batch-id"]))
        sealed_at = datetime.fromisoformat(request.headers["alertworker-sealed-at"])
        count = int(request.headers["alertworker-count"])
    except (KeyError, ValueError):
        count = -1
    if not 0 <= count <= MAX_EVENTS:
        needed = f"alertworker-batch-id (UUID), -sealed-at (ISO 8601) and -count (0 to {MAX_EVENTS})"
        raise Refusal(422, f"missing or invalid header of a sealed batch; expected {needed}")
    producer = _header(request, "alertworker-producer") or "http"
    if producer == WORKER:
        raise Refusal(422, f"alertworker-producer must not be {WORKER}, which stands for the workers themselves")
    async with context.room.read(request, MAX_BATCH_BYTES) as body:
        if not body:
            raise Refusal(422, "the sealed batch is empty")
        charge = _take(request, context, count, len(body))
        bound = partial(context.names.bound_json, address=address_of(request), now=time.monotonic())
        read = partial(bound_batch, body, bound=bound, charge=partial(charge.at_least, size=0))
        kept, replaced = await context.decoders.run(read, address_of(request))
        _count_names(context, replaced)
        await context.broker_queue.put(SealedBatch(batch_id, producer, sealed_at, count, kept))
    return JSONResponse({"batch_id": batch_id, "accepted": count, "errors": []}, 202)


def _count_names(context: Context, replaced: int) -> None:
    if replaced and context.other_names is not None:
        context.other_names.add("http", replaced)


def _take(request: Request, context: Context, count: int, size: int) -> Charge:
    return context.event_rate.take(address_of(request), count, size, now=time.monotonic())


def _header(request: Request, name: str) -> str | None:
    value = request.headers.get(name)
    if value is not None and (len(value) > MAX_NAME or not _PRINTABLE.fullmatch(value)):
        raise Refusal(422, f"{name} must have 1 to {MAX_NAME} printable ASCII characters")
    return value


def _digest(*parts: bytes) -> str:
    """Return a hash of the parts. It differs if the same bytes are divided in another way."""
    return blake2b(b"".join(b"%d:%s" % (len(part), part) for part in parts), digest_size=20).hexdigest()


ROUTES: Final = (Route("/v1/events", post_events, methods=["POST"]),)
