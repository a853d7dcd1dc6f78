"""Deliver: serve one lane. Merge the waiting messages, then seal, send and settle one after the other."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from alertworker.alerts.alert import Alert, fingerprint_of
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.delivery.channel import Answer, Channel, Pace
from alertworker.delivery.coalescing import MERGE_FROM, plan
from alertworker.delivery.retry import LASTING, SHADOWED, Dead, DeliveryError, Reason, after_failure
from alertworker.errors import BrokerUnavailable
from alertworker.events.base import new_id
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Due, Lease, Transaction, Turn

_log: Final = logging.getLogger(__name__)
#: How long a lane is leased: longer than one whole HTTP exchange may take, so no second worker sends.
LEASE: Final = timedelta(seconds=30)
#: How many turns of a lane one call takes before it releases the lane. A turn is one message, or as many as the
#: channel sends in parallel.
MAX_TURNS: Final = 20
#: While messages keep failing, every fourth probe is a message that was never attempted.
UNATTEMPTED_EVERY: Final = 4
#: A channel that has accepted nothing for this long is announced as broken.
PATIENCE: Final = timedelta(minutes=10)


def _never() -> bool:
    return False


def deliver(
    name: str, runtime: Runtime, *, now: datetime, most: int = MAX_TURNS, stopping: Callable[[], bool] = _never
) -> bool:
    """Serve a channel's lane for at most ``most`` turns. Return whether more may be due now.

    No turn begins while the process is ``stopping``: its message would be cut off and sent again.

    A wake for a lane without a due message writes nothing: many may come, also with names that no channel has.

    ``now`` is the time of the call. Later times are ``now`` plus the elapsed monotonic time, so a change of the system
    clock does not affect the lease.
    """
    if not runtime.store.queue.is_due(name, now=now):
        return False
    lease = Lease(name, str(uuid4()))
    started = time.monotonic()
    channel = runtime.channels.get(name)
    pace = channel.pace if channel is not None else Pace()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started)

    try:
        for _ in range(most):
            if stopping():
                return True
            moment = clock()
            turn = runtime.store.lanes.lease(lease, until=moment + LEASE, pace=pace, now=moment)
            if turn is None:
                return False
            due = _next(name, channel, turn, runtime, now=moment)
            if not due:
                return False
            _attempt(due, lease, turn, channel, runtime, clock)
        return True
    finally:
        runtime.store.lanes.release(lease, now=clock())


def _next(name: str, channel: Channel | None, turn: Turn, runtime: Runtime, *, now: datetime) -> list[Due]:
    """Return the notifications to attempt now.

    While messages keep failing, the probe is a message that was attempted before, so that the others can still be
    merged. Every fourth probe was never attempted, because the receiver may refuse only the attempted messages.
    """
    attempted = runtime.store.queue.next_attempted(name, now=now) if turn.probe else []
    if attempted and turn.failures % UNATTEMPTED_EVERY:
        return attempted
    if channel is not None:
        _merge(channel, runtime, now=now)
    if turn.probe and (due := runtime.store.queue.next_due(name, limit=1, now=now, unattempted=True) or attempted):
        return due
    return runtime.store.queue.next_due(name, limit=channel.parallel if channel is not None else 1, now=now)


def _merge(channel: Channel, runtime: Runtime, *, now: datetime) -> None:
    """Merge many waiting messages into few."""
    limit = max(channel.digest_size, MERGE_FROM + 1)
    waiting = runtime.store.queue.waiting(channel.name, limit=limit, now=now)
    if len(waiting) > 1:
        todo = plan(waiting, digest_size=channel.digest_size, alert_id=str(new_id()), now=now)
        if todo:
            runtime.store.queue.merge(channel.name, todo, now=now)


def _attempt(
    due: Sequence[Due],
    lease: Lease,
    turn: Turn,
    channel: Channel | None,
    runtime: Runtime,
    clock: Callable[[], datetime],
) -> None:
    if channel is None:
        reason = Reason.UNKNOWN_CHANNEL
        for one in due:
            runtime.store.lanes.settle_dead(
                one.id, lease, reason=reason, answer="the channel is not configured any more", now=clock()
            )
        return
    bodies = _bodies(due, lease, channel, runtime, now=clock())
    moment = clock()
    if not bodies or not runtime.store.lanes.begin(bodies, lease, until=moment + LEASE, pace=channel.pace, now=moment):
        return
    _log_bodies(due, bodies, channel, runtime)
    answers = _send(bodies, channel, runtime)
    now = clock()  # a receiver's Retry-After counts from its answer
    taken = {name: answer for name, answer in answers.items() if isinstance(answer, Answer)}
    if taken and runtime.store.lanes.settle_sent(taken, lease, longest=runtime.retry.longest_retry_after, now=now):
        runtime.store.run(lambda tx: _well_again(tx, lease.channel, runtime, now=now))
    for one in due:
        answer = answers.get(one.id)
        if isinstance(answer, DeliveryError):
            _failed(one, lease, answer, 0 if taken else turn.failures, runtime, now=now)


def _bodies(due: Sequence[Due], lease: Lease, channel: Channel, runtime: Runtime, *, now: datetime) -> dict[str, str]:
    """Return the bodies by notification. A message without content for this kind of channel becomes a dead letter."""
    bodies = {}
    for one in due:
        try:
            bodies[one.id] = one.body if one.body is not None else channel.render(one.message)
        except DeliveryError as error:
            runtime.store.lanes.settle_dead(one.id, lease, reason=error.reason, answer=str(error), now=now)
    return bodies


def _log_bodies(due: Sequence[Due], bodies: Mapping[str, str], channel: Channel, runtime: Runtime) -> None:
    """Log the bodies to send if the operator enabled it (``log_to_console``)."""
    for one in due if runtime.log_payloads else ():
        if one.id in bodies:
            label = runtime.labels.of(channel.name)
            ids = {"alert_id": one.message.alert_id, "channel": label, "notification_id": one.id}
            _log.warning("alert to %s: %s", label, bodies[one.id], extra=ids)


def _send(bodies: Mapping[str, str], channel: Channel, runtime: Runtime) -> dict[str, Answer | DeliveryError]:
    """Make one attempt for each body, in parallel. Return the answers and errors by notification."""

    def one(item: tuple[str, str]) -> Answer | DeliveryError:
        notification_id, body = item
        try:
            return Answer(SHADOWED) if runtime.shadow else channel.send(body, notification_id=notification_id)
        except DeliveryError as error:
            return error

    if len(bodies) == 1:
        return {name: one((name, body)) for name, body in bodies.items()}
    with ThreadPoolExecutor(max_workers=len(bodies)) as pool:
        return dict(zip(bodies, pool.map(one, bodies.items()), strict=True))


def _failed(due: Due, lease: Lease, error: DeliveryError, in_a_row: int, runtime: Runtime, *, now: datetime) -> None:
    verdict = after_failure(
        error,
        attempts=due.attempts,
        in_a_row=in_a_row,
        created_at=due.created_at,
        now=now,
        policy=runtime.retry,
        jitter=random.Random(),
    )
    if due.message.step is Step.TEST:
        verdict = Dead(error.reason)  # a test is not retried: a person waits for the answer to this attempt
    if isinstance(verdict, Dead):
        runtime.store.lanes.settle_dead(due.id, lease, reason=verdict.reason, answer=str(error), now=now)
        lasting = verdict.reason in LASTING
        if due.message.step is not Step.TEST:
            label = runtime.labels.of(lease.channel)
            ids = {"alert_id": due.message.alert_id, "channel": label, "notification_id": due.id}
            _log.error("a message of channel %s became a dead letter: %s", label, error, extra=ids)
    else:
        since = runtime.store.lanes.settle_retry(due.id, lease, error=error, verdict=verdict, now=now)
        if in_a_row:  # the lane pauses: its other messages are not attempted, but their deadline still applies
            late = now - timedelta(seconds=runtime.retry.deadline)
            runtime.store.lanes.expire(lease, before=late, answer=str(error), now=now)
        lasting = now - since > PATIENCE
    is_own = due.message.type is AlertType.CHANNEL_BROKEN
    if lasting and not is_own and runtime.store.run(lambda tx: _announce(tx, lease.channel, error, runtime, now=now)):
        _log_broken(lease.channel, error, runtime, now=now)


def _announce(tx: Transaction, name: str, error: DeliveryError, runtime: Runtime, *, now: datetime) -> bool:
    """Raise the alert that a channel is broken, unless it was raised before. Return whether it was raised now."""
    announced = tx.notifications.mark_broken(name, now=now)
    if announced:
        claim(tx, _broken(name, runtime.labels.of(name), error, now=now), runtime, now=now)
    return announced


def _log_broken(name: str, error: DeliveryError, runtime: Runtime, *, now: datetime) -> None:
    """Log that a channel is broken: if it is the only one, no alert can report it."""
    label = runtime.labels.of(name)
    decision = runtime.router.decide(AlertType.CHANNEL_BROKEN, {"channel": label}, now=now)
    others = ", ".join(runtime.labels.of(channel) for channel in decision.channels if channel != name)
    reported = (
        f"{others} is notified" if others else "no other channel can report it, so nobody is notified of its alerts"
    )
    place = runtime.places.get(name, "the configuration")
    # The channel to owners is not tested by itself: it is the mail channel with other recipients.
    kind = "email" if name == runtime.owner_mail else runtime.channels[name].kind
    _log.error(
        "the channel %s accepts no messages (%s); %s; correct its address, which is from %s, then run "
        "`alertworker test %s` and replay the dead letters",
        label,
        error,
        reported,
        place,
        kind,
        extra={"channel": label},
    )


def _well_again(tx: Transaction, name: str, runtime: Runtime, *, now: datetime) -> None:
    broken = fingerprint_of(AlertType.CHANNEL_BROKEN, {"channel": name})
    alert = tx.alerts.find_open(broken) if tx.notifications.mark_recovered(name) else None
    if alert is not None:
        facts = {"Channel": runtime.labels.of(name), "State": "accepts messages again"}
        resolve(tx, replace(alert, facts=facts), runtime, now=now)


def _broken(name: str, label: str, error: DeliveryError, *, now: datetime) -> Alert:
    """Return the alert. Its identity is the channel's name, which stays when a line of the file moves."""
    return Alert(
        type=AlertType.CHANNEL_BROKEN,
        severity=Severity.HIGH,
        identity={"channel": name},
        headline=f"The channel {label} accepts no messages",
        first_at=now,
        last_at=now,
        labels={"channel": label},
        facts={"Channel": label, "Last answer": str(error)},
    )


def wake(runtime: Runtime, *, now: datetime) -> None:
    """Send a delivery task for each due lane. While the broker is away, the next sweep does it."""
    channels = runtime.store.lanes.due_channels(now=now)
    if channels:
        try:
            runtime.broker.wake(channels)
        except BrokerUnavailable:
            return
