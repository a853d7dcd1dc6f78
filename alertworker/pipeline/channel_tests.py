"""Channel tests: test messages that pass through the whole pipeline, and the receivers' answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import TEST, TEST_RESOLVED, Message, Step
from alertworker.delivery.channel import Channel
from alertworker.delivery.status import NotificationStatus
from alertworker.events.base import new_id
from alertworker.pipeline.deliver import deliver
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import DeliveryResult, NotificationPort

#: The status of a test that was not sent, because ``shadow`` is on.
SHADOW: Final = "shadow"
#: How long to wait for all answers. It is twice the lease that another worker may have on a lane.
PATIENCE: Final = timedelta(seconds=60)
#: How soon to check again a lane that is leased or paced, in seconds.
_AGAIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """The result of one test message. ``channel`` is how people see the channel.

    ``status`` is that of its notification, or `SHADOW`. A test is attempted once, so "dead" means refused or failed.
    "dropped" means not attempted within `PATIENCE`. ``answer`` is the receiver's answer or the error, safe to show.
    ``reason`` is the error's `Reason`. ``body`` is the body that was sent, without credentials.
    """

    channel: str
    type: AlertType
    status: str
    answer: str
    reason: str | None = None
    body: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.status == NotificationStatus.SENT

    @property
    def shadowed(self) -> bool:
        """Whether the message was not sent because ``shadow`` is on."""
        return self.status == SHADOW

    @property
    def failed(self) -> bool:
        """Whether the message was to be sent and the receiver did not accept it."""
        return not self.passed and not self.shadowed


def routed_channels(service: str, types: Iterable[AlertType], runtime: Runtime) -> list[tuple[str, AlertType]]:
    """Return the channels of a service that alerts of each type can go to, as pairs for `try_channels`."""
    found = [
        (name, alert_type)
        for alert_type in types
        for name in runtime.router.reachable(alert_type)
        if name in runtime.channels
    ]
    meant = kinds_of(service, [runtime.channels[name] for name, _ in found])
    return [(name, alert_type) for name, alert_type in found if runtime.channels[name].kind in meant]


def kinds_of(service: str, channels: Iterable[Channel]) -> frozenset[str]:
    """Return the kinds of these channels that LiteLLM's name for a service stands for.

    LiteLLM's "slack" is any chat, because SLACK_WEBHOOK_URL may be the URL of another vendor. If there is a Slack
    channel, only that is meant. LiteLLM's "webhook" is the budget webhook and our own webhook.
    """
    kinds = frozenset(channel.kind for channel in channels if service in (channel.kind, channel.litellm_service))
    return frozenset({"slack"}) if service == "slack" and "slack" in kinds else kinds


def try_channels(pairs: Iterable[tuple[str, AlertType]], runtime: Runtime, *, now: datetime) -> list[ChannelTest]:
    """Send one test message for each pair of channel and alert type. Return the results in the same order.

    A test is not grouped, silenced or merged, and is sent before the messages that wait in its lane. The call blocks
    until all tests are settled, for at most `PATIENCE`.

    Raises:
        StoreUnavailable: the database is unreachable. Some tests may have been sent.
    """
    wanted = list(pairs)
    if runtime.shadow:
        return [
            ChannelTest(runtime.labels.of(name), alert_type, SHADOW, "shadow: nothing is sent")
            for name, alert_type in wanted
        ]
    messages = [(name, _message(alert_type, runtime, now=now)) for name, alert_type in wanted]
    runtime.store.run(lambda tx: _write(tx.notifications, messages, runtime, now=now))
    started = time.monotonic()
    lanes: dict[str, list[str]] = {}
    for name, message in messages:
        lanes.setdefault(name, []).append(message.alert_id)
    with ThreadPoolExecutor(max_workers=max(1, len(lanes))) as pool:
        for done in [pool.submit(_work, name, ids, runtime, now=now) for name, ids in lanes.items()]:
            done.result()
    ids = [message.alert_id for _, message in messages]
    over = now + timedelta(seconds=time.monotonic() - started)
    results = runtime.store.run(lambda tx: tx.notifications.end_channel_tests(ids, now=over))
    ends = runtime.store.run(lambda tx: tx.notifications.delivery_results(ids, TEST_RESOLVED))
    return [
        _result(runtime.labels.of(name), message, results[message.alert_id], ends.get(message.alert_id))
        for name, message in messages
    ]


def _message(alert_type: AlertType, runtime: Runtime, *, now: datetime) -> Message:
    return Message(
        alert_id=str(new_id()),
        type=alert_type,
        severity=Severity.LOW,
        step=Step.TEST,
        headline=f"This is a test message of alertworker, sent as {alert_type.value}",
        at=now,
        since=now,
        proxy_url=runtime.proxy_url,
        zone=runtime.zone.key,
    )


def _write(
    notifications: NotificationPort, messages: Sequence[tuple[str, Message]], runtime: Runtime, *, now: datetime
) -> None:
    """Write the tests and their resolving messages, so that a worker sends them even if this process ends."""
    for name, message in messages:
        notifications.enqueue(message, TEST, [name], now=now)
        if name in runtime.channels and runtime.channels[name].keeps_open:
            end = message.model_copy(update={"step": Step.RESOLVED, "headline": f"Over: {message.headline}"})
            notifications.enqueue(end, TEST_RESOLVED, [name], now=now)


def _work(name: str, ids: Sequence[str], runtime: Runtime, *, now: datetime) -> None:
    """Serve a lane, one message at a time, until these tests are settled. A worker may serve it at the same time."""
    started = time.monotonic()
    while True:
        moment = now + timedelta(seconds=time.monotonic() - started)
        deliver(name, runtime, now=moment, most=1)
        if runtime.store.run(lambda tx: _settled(tx.notifications, ids)) or moment - now > PATIENCE:
            return
        time.sleep(_AGAIN)


def _settled(notifications: NotificationPort, ids: Sequence[str]) -> bool:
    """Return whether all tests are settled, and the resolving messages of the tests that were sent."""
    tests, ends = notifications.delivery_results(ids, TEST), notifications.delivery_results(ids, TEST_RESOLVED)
    awaited = [*tests.values(), *(end for one, end in ends.items() if tests[one].status == NotificationStatus.SENT)]
    return all(result.status != NotificationStatus.PENDING for result in awaited)


def _result(label: str, message: Message, result: DeliveryResult, end: DeliveryResult | None) -> ChannelTest:
    answer = result.answer or f"not attempted within {PATIENCE.seconds} s: its lane is paused, or busy"
    if end is not None and result.status == NotificationStatus.SENT:
        is_resolved = end.status == NotificationStatus.SENT
        answer += "; resolved again" if is_resolved else f"; not resolved yet: {end.answer or 'in its lane'}"
    return ChannelTest(label, message.type, result.status, answer, result.reason, result.body)
