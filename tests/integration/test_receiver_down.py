"""Receivers that are down, or never take some message: how often they are asked, and what they get when well."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason, RetryPolicy
from alertworker.pipeline import Runtime, deliver
from alertworker.pipeline.channel_tests import try_channels
from alertworker.pipeline.notify import claim
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from tests.integration.line import NOW, Outbox, rows


class Receiver(Outbox):
    """Takes nothing while it is ``down``, and never what is in ``poison``."""

    digest_size = 40

    def __init__(self) -> None:
        super().__init__()
        self.down: DeliveryError | None = None
        self.poison: frozenset[str] = frozenset()
        self.attempts = 0

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Take it, or not."""
        self.attempts += 1
        if self.down is not None:
            raise self.down
        if any(f'"{name}"' in body for name in self.poison):
            raise DeliveryError("answered 500", Reason.SERVER_ERROR)
        return super().send(body, notification_id=notification_id)

    @property
    def named(self) -> list[str]:
        """The headlines that were told, by themselves or in a digest."""
        return [told.headline for message in self.sent for told in message.entries or (message,)]


@pytest.fixture
def receiver() -> Receiver:
    """Give a receiver that is well."""
    return Receiver()


@pytest.fixture
def runtime(runtime: Runtime, receiver: Receiver) -> Runtime:
    """Give a line that ends there."""
    return replace(runtime, channels={"outbox": receiver})


def after(seconds: float) -> datetime:
    """Give a later moment."""
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


def test_a_receiver_that_only_says_429_is_asked_ever_less(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """As a Teams connector says it, without a word of how long: two hours cost some fifty attempts, and no message."""
    receiver.down = DeliveryError("answered 429", Reason.RATE_LIMITED)
    fail(runtime, "one", 0)
    run(runtime, store, 0, 7_200)

    assert receiver.attempts < 130
    receiver.down = None
    run(runtime, store, 7_200, 7_600)
    assert receiver.named == ["one"]


def test_what_waits_for_a_receiver_that_is_down_becomes_few_messages(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """Sixty alerts within ten minutes: it is probed, and all but the probes are still untouched when it is well."""
    receiver.down = DeliveryError("answered 503", Reason.SERVER_ERROR)
    for number in range(60):
        fail(runtime, f"n{number}", number * 10)
        run(runtime, store, number * 10, number * 10 + 9)
    assert receiver.attempts < 40
    receiver.down = None
    run(runtime, store, 600, 1_300)

    assert sorted(receiver.named) == sorted(f"n{number}" for number in range(60))
    assert len(receiver.sent) < 20  # the probes; a digest; and up to ten are no digest
    assert {message.step for message in receiver.sent} >= {Step.DIGEST}
    [lane] = rows(store, LANES)
    assert (lane.failures, lane.probe_at, lane.failing_since) == (0, None, None)


def test_one_message_that_fails_holds_nobody_up(runtime: Runtime, receiver: Receiver, store: SqlStore) -> None:
    """Each of the others is sent at once, for as long as that one is tried again."""
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
    """While only those are tried the receiver looks as if it were down; a new one shows that it is not."""
    receiver.poison = frozenset({"bad1", "bad2", "bad3", "bad4", "bad5"})
    for name in receiver.poison:
        fail(runtime, name, 0)
    run(runtime, store, 0, 1_200)
    fail(runtime, "good", 1_200)
    run(runtime, store, 1_200, 1_200 + 5 * 300)

    assert receiver.named == ["good"]


def test_what_was_never_attempted_has_its_deadline_too(runtime: Runtime, receiver: Receiver, store: SqlStore) -> None:
    """After so long without a receiver each is a dead letter."""
    runtime = replace(runtime, retry=RetryPolicy(deadline=1_800))
    receiver.down = DeliveryError("cannot be reached", Reason.UNREACHABLE)
    for number in range(8):
        fail(runtime, f"n{number}", number / 10)
    run(runtime, store, 0, 1_000)
    assert any(row.body is None for row in rows(store, NOTIFICATIONS))
    run(runtime, store, 1_000, 1_800 + 700)

    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"dead"}
    letters = AdminStore(store.engine).dead_letters()
    assert len(letters) == 8
    assert all(letter.reason.startswith("expired: outbox cannot be reached") for letter in letters)


def test_a_test_message_does_not_wait_until_a_receiver_is_probed(
    runtime: Runtime, receiver: Receiver, store: SqlStore
) -> None:
    """Who has mended it sees so at once, and everything that waited goes on."""
    receiver.down = DeliveryError("answered 503", Reason.SERVER_ERROR)
    for number in range(8):
        fail(runtime, f"n{number}", 0)
    run(runtime, store, 0, 1_000)
    moment = next(row.probe_at for row in rows(store, LANES)) - timedelta(seconds=0.2)
    receiver.down = None
    [trial] = try_channels([("outbox", AlertType.LLM_EXCEPTIONS)], runtime, now=moment)

    assert trial.passed
    assert runtime.store.lanes.due_channels(now=moment) == ["outbox"]
