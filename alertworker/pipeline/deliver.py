"""Deliver: one lane, one message after the other: merge what waits, seal, send, settle."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from alertworker.alerts import Alert, AlertType, Severity
from alertworker.delivery import LASTING, Dead, DeliveryError, Reason, after_failure
from alertworker.events.base import new_id
from alertworker.lanes import MERGE_FROM, plan
from alertworker.pipeline.claiming import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Channel, Due, Pace

#: How long a lane is leased, in seconds: longer than one whole HTTP exchange may take, so no second worker sends.
LEASE: Final = timedelta(seconds=30)
#: How many messages one call delivers before it gives the lane back.
MAX_MESSAGES: Final = 20
#: A channel that has taken nothing for so long is announced as broken.
PATIENCE: Final = timedelta(minutes=10)


def deliver(name: str, runtime: Runtime, *, now: datetime) -> bool:
    """Work on a channel's lane; true when there may be more to do at once.

    ``now`` is the moment of the call; the lease is renewed for every message by the time that has really passed.
    """
    token = str(uuid4())
    started = datetime.now(now.tzinfo)
    moment = now
    channel = runtime.channels.get(name)
    pace = channel.pace if channel is not None else Pace()
    try:
        for _ in range(MAX_MESSAGES):
            moment = now + (datetime.now(now.tzinfo) - started)
            if not runtime.store.lease_lane(name, token, until=moment + LEASE, pace=pace, now=moment):
                return False
            if channel is not None:
                _merge(channel, runtime, now=moment)
            due = runtime.store.next_due(name, token, now=moment)
            if due is None:
                return False
            _attempt(due, name, channel, runtime, now=moment)
        return True
    finally:
        runtime.store.release_lane(name, token, now=moment)


def _merge(channel: Channel, runtime: Runtime, *, now: datetime) -> None:
    """Make few messages of many that wait."""
    limit = max(channel.digest_size, MERGE_FROM + 1)
    waiting = runtime.store.waiting(channel.name, limit=limit, now=now)
    if len(waiting) > 1:
        todo = plan(waiting, digest_size=channel.digest_size, alert_id=str(new_id()), now=now)
        if todo:
            runtime.store.merge(channel.name, todo, now=now)


def _attempt(due: Due, name: str, channel: Channel | None, runtime: Runtime, *, now: datetime) -> None:
    if channel is None:
        reason = Reason.UNKNOWN_CHANNEL
        runtime.store.settle_dead(due.id, name, reason=reason, answer="is not configured any more", now=now)
        return
    body = due.body if due.body is not None else channel.render(due.message)
    runtime.store.begin(due.id, body, name, pace=channel.pace, now=now)
    try:
        answer = "shadow: not sent" if runtime.shadow else channel.send(body, notification_id=due.id)
    except DeliveryError as error:
        _failed(due, name, error, runtime, now=now)
        return
    if runtime.store.settle_sent(due.id, name, answer, now=now):
        _well_again(name, runtime, now=now)


def _failed(due: Due, name: str, error: DeliveryError, runtime: Runtime, *, now: datetime) -> None:
    verdict = after_failure(
        error, attempts=due.attempts, created_at=due.created_at, now=now, policy=runtime.retry, jitter=random.Random()
    )
    if isinstance(verdict, Dead):
        runtime.store.settle_dead(due.id, name, reason=verdict.reason, answer=str(error), now=now)
        lasting = verdict.reason in LASTING
    else:
        since = runtime.store.settle_retry(due.id, name, error=error, verdict=verdict, now=now)
        lasting = now - since > PATIENCE
    if lasting and due.message.type is not AlertType.CHANNEL_BROKEN and runtime.store.mark_broken(name, now=now):
        runtime.store.run(lambda tx: claim(tx, _broken(name, error, now=now), runtime, now=now))


def _well_again(name: str, runtime: Runtime, *, now: datetime) -> None:
    fingerprint = _broken(name, None, now=now).fingerprint
    with_alert = runtime.store.run(lambda tx: tx.find_open(fingerprint))
    if with_alert is not None:
        runtime.store.run(lambda tx: resolve(tx, with_alert, runtime, now=now))


def _broken(name: str, error: DeliveryError | None, *, now: datetime) -> Alert:
    return Alert(
        type=AlertType.CHANNEL_BROKEN,
        severity=Severity.HIGH,
        identity={"channel": name},
        headline=f"The channel {name} takes no messages",
        first_at=now,
        last_at=now,
        facts={"Channel": name, "Last answer": str(error)} if error else {},
    )
