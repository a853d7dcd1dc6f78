"""Receivers that are down or reject some message: the number of attempts, and the messages after recovery."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.channels.console import ConsoleConfig
from alertworker.delivery.channel import Answer
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.delivery.retry import DeliveryError, Reason, RetryPolicy
from alertworker.health import CheckState, Doctor
from alertworker.pipeline import Runtime, deliver
from alertworker.pipeline.channel_tests import try_channels
from alertworker.pipeline.notify import claim
from alertworker.settings import Settings
from alertworker.store import AdminStore, HealthStore, SqlStore
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from alertworker.web.metrics import SnapshotCollector
from tests.integration.harness import NOW, Outbox, rows


class Receiver(Outbox):
    """Accepts nothing while it is ``down``, and never a headline in ``poison``."""

    digest_size = 40

    def __init__(self) -> None:
        super().__init__()
        self.down: DeliveryError | None = None
        self.poison: frozenset[str] = frozenset()
        self.attempts = 0

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Accept or reject the message."""
        self.attempts += 1
        if self.down is not None:
            raise self.down
        if any(f'"{name}"' in body for name in self.poison):
            raise DeliveryError("answered 500", Reason.SERVER_ERROR)
        return super().send(body, notification_id=notification_id)

    @property
    def named(self) -> list[str]:
        """The headlines that were sent, directly or in a digest."""
        return [notified.headline for message in self.sent for notified in message.entries or (message,)]


@pytest.fixture
def receiver() -> Receiver:
    """Return a working receiver."""
    return Receiver()


@pytest.fixture
def runtime(runtime: Runtime, receiver: Receiver) -> Runtime:
    """Return a runtime whose channel is the receiver."""
    return replace(runtime, channels={"outbox": receiver})


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fail(runtime: Runtime, name: str, seconds: float) -> None:
    """Raise an alert of that name."""
    alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": name}, name, after(seconds), after(seconds))
    runtime.store.run(lambda tx: claim(tx, alert, runtime, now=after(seconds)))


def run(runtime: Runtime, store: SqlStore, start: float, end: float) -> None:
    """Work on the lane whenever it has something to do."""
    now = after(start)
    while now <= after(end):
        while deliver("outbox", runtime, now=now):
            pass
        [lane] = rows(store, LANES)
        times = {row.next_attempt_at for row in rows(store, NOTIFICATIONS) if row.status == "pending"}
        later = [time for time in times | {lane.next_free_at, lane.probe_at or now} if time > now]
        now = max(min(later, default=after(end)), now + timedelta(seconds=0.1))


def test_a_receiver_that_only_answers_429_is_tried_ever_less(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """A Teams connector answers so, without a time: two hours cost some 50 attempts, and no message is lost."""
    receiver.down = DeliveryError("answered 429", Reason.RATE_LIMITED)
    fail(runtime, "one", 0)
    run(runtime, store, 0, 7_200)

    assert receiver.attempts < 130
    receiver.down = None
    run(runtime, store, 7_200, 7_600)
    assert receiver.named == ["one"]


def test_messages_for_a_receiver_that_is_down_become_few(runtime: Runtime, receiver: Receiver, store: SqlStore) -> None:
    """Sixty alerts are raised within 10 minutes. Only probes are attempted while the receiver is down."""
    receiver.down = DeliveryError("answered 503", Reason.SERVER_ERROR)
    for number in range(60):
        fail(runtime, f"n{number}", number * 10)
        run(runtime, store, number * 10, number * 10 + 9)
    assert receiver.attempts < 40
    receiver.down = None
    run(runtime, store, 600, 1_300)

    assert sorted(receiver.named) == sorted(f"n{number}" for number in range(60))
    assert len(receiver.sent) < 20  # the probes, a digest, and up to ten single messages
    assert {message.step for message in receiver.sent} >= {Step.DIGEST}
    [lane] = rows(store, LANES)
    assert (lane.failures, lane.probe_at, lane.failing_since) == (0, None, None)


def test_one_failed_message_does_not_block_others(runtime: Runtime, receiver: Receiver, store: SqlStore) -> None:
    """The others are sent at once while that one is retried."""
    receiver.poison = frozenset({"bad"})
    fail(runtime, "bad", 0)
    run(runtime, store, 0, 599)
    for number in range(20):
        fail(runtime, f"n{number}", 600 + number * 30)
        run(runtime, store, 600 + number * 30, 600 + number * 30 + 29)
        assert receiver.named[number:] == [f"n{number}"]


def test_several_messages_that_fail_hold_the_others_up_for_minutes_at_most(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """While only failing messages are tried, the receiver seems to be down. A new message shows that it is not."""
    receiver.poison = frozenset({"bad1", "bad2", "bad3", "bad4", "bad5"})
    for name in receiver.poison:
        fail(runtime, name, 0)
    run(runtime, store, 0, 1_200)
    fail(runtime, "good", 1_200)
    run(runtime, store, 1_200, 1_200 + 5 * 300)

    assert receiver.named == ["good"]


def test_a_message_without_an_attempt_has_a_deadline_too(runtime: Runtime, receiver: Receiver, store: SqlStore) -> None:
    """After the deadline without a receiver each is a dead letter."""
    runtime = replace(runtime, retry=RetryPolicy(deadline=1_800))
    receiver.down = DeliveryError("cannot be reached", Reason.UNREACHABLE)
    for number in range(8):
        fail(runtime, f"n{number}", number / 10)
    run(runtime, store, 0, 1_000)
    assert any(row.body is None for row in rows(store, NOTIFICATIONS))
    run(runtime, store, 1_000, 1_800 + 700)

    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"dead"}
    letters = AdminStore(store.engine).dead_letters.search()
    assert len(letters) == 8
    assert all(letter.reason.startswith("expired: cannot be reached") for letter in letters)


def test_a_test_message_does_not_wait_until_a_receiver_is_probed(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """A person who has repaired it sees the result at once, and all waiting messages continue."""
    receiver.down = DeliveryError("answered 503", Reason.SERVER_ERROR)
    for number in range(8):
        fail(runtime, f"n{number}", 0)
    run(runtime, store, 0, 1_000)
    moment = next(row.probe_at for row in rows(store, LANES)) - timedelta(seconds=0.2)
    receiver.down = None
    [result] = try_channels([("outbox", AlertType.LLM_EXCEPTIONS)], runtime, now=moment)

    assert result.passed
    assert runtime.store.lanes.due_channels(now=moment) == ["outbox"]


@pytest.mark.parametrize("others", [(), ("pager",)])
def test_a_revoked_webhook_is_loud(
    runtime: Runtime,
    receiver: Receiver,
    store: SqlStore,
    others: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If the channel is the only one, no alert can report it: the log, the metric and `doctor` do."""
    receiver.down = DeliveryError("answered 404", Reason.GONE)
    router = replace(runtime.router, receivers={"all": ("outbox", *others)})
    runtime = replace(runtime, router=router, places={"outbox": "environment SLACK_WEBHOOK_URL"})
    fail(runtime, "a", 0)
    deliver("outbox", runtime, now=NOW)

    (line,) = [record for record in caplog.records if "accepts no messages" in record.getMessage()]
    assert line.levelname == "ERROR"
    assert "environment SLACK_WEBHOOK_URL" in line.getMessage()
    assert ("nobody is notified" in line.getMessage()) is (not others)
    assert any("became a dead letter: answered 404" in record.getMessage() for record in caplog.records)
    later = NOW + timedelta(seconds=30)
    snapshot = HealthStore(store.engine).read(now=later)
    assert snapshot.broken == {"outbox": pytest.approx(30, abs=5)}
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot, 0, ChannelLabels()))
    assert 'alertworker_channel_broken_seconds{channel="outbox"} ' in generate_latest(registry).decode()
    settings = Settings(channels=(ConsoleConfig(name="outbox"),), places={"outbox": "environment SLACK_WEBHOOK_URL"})
    report = Doctor(settings, lambda: 0, HealthStore(store.engine), store, AdminStore(store.engine)).examine(now=later)
    (lane,) = [check for check in report.checks if check.about == "lane outbox"]
    assert lane.state is CheckState.PROBLEM
    assert "its address is from environment SLACK_WEBHOOK_URL" in lane.text
    assert not report.healthy
