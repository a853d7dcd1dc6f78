"""Deliver: one lane, one message after the other: seal, send, settle."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from alertworker.delivery import Dead, DeliveryError, Reason, after_failure
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Channel, Due

#: How long a lane is leased, in seconds: longer than one whole HTTP exchange may take, so no second worker sends.
LEASE: Final = timedelta(seconds=30)
#: How many messages one call delivers before it gives the lane back.
MAX_MESSAGES: Final = 20


def deliver(name: str, runtime: Runtime, *, now: datetime) -> bool:
    """Work on a channel's lane; true when there may be more to do at once.

    ``now`` is the moment of the call; the lease is renewed for every message by the time that has really passed.
    """
    token = str(uuid4())
    started = datetime.now(now.tzinfo)
    moment = now
    try:
        for _ in range(MAX_MESSAGES):
            moment = now + (datetime.now(now.tzinfo) - started)
            if not runtime.store.lease_lane(name, token, until=moment + LEASE, now=moment):
                return False
            due = runtime.store.next_due(name, token, now=moment)
            if due is None:
                return False
            _attempt(due, name, runtime.channels.get(name), runtime, now=moment)
        return True
    finally:
        runtime.store.release_lane(name, token, now=moment)


def _attempt(due: Due, name: str, channel: Channel | None, runtime: Runtime, *, now: datetime) -> None:
    if channel is None:
        runtime.store.settle_dead(due.id, reason=Reason.UNKNOWN_CHANNEL, now=now)
        return
    body = due.body
    if body is None:
        body = channel.render(due.message)
        runtime.store.seal(due.id, body)
    try:
        answer = channel.send(body, notification_id=due.id)
    except DeliveryError as error:
        _failed(due, name, error, runtime, now=now)
        return
    runtime.store.settle_sent(due.id, answer, now=now)


def _failed(due: Due, name: str, error: DeliveryError, runtime: Runtime, *, now: datetime) -> None:
    verdict = after_failure(
        error, attempts=due.attempts, created_at=due.created_at, now=now, policy=runtime.retry, jitter=random.Random()
    )
    if isinstance(verdict, Dead):
        runtime.store.settle_dead(due.id, reason=verdict.reason, now=now)
        return
    runtime.store.settle_retry(
        due.id, name, reason=error.reason, at=verdict.at, counts=verdict.counts, pauses_lane=verdict.pauses_lane
    )
