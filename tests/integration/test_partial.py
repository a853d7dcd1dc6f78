"""Messages that some recipients have and others do not have yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason, RetryPolicy
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, announced, answered, batch, failed, rows, run_until_quiet


class Mailboxes(Outbox):
    """Two recipients. The second accepts nothing while it is ``full``."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True
        self.second: list[str] = []

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Accept it for the first recipient, and for the second if there is room."""
        if not body.startswith("left "):
            super().send(body, notification_id=notification_id)
        elif self.full:
            raise DeliveryError("answered 452", Reason.SERVER_ERROR, status=452)
        if self.full:
            return Answer("1 of 2", remainder=f"left {notification_id}")
        self.second.append(body.removeprefix("left "))
        return Answer("all")


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
def runtime(runtime: Runtime, mailboxes: Mailboxes) -> Runtime:
    """Return a runtime whose channel is the mailboxes."""
    return replace(runtime, channels={"outbox": mailboxes})


def test_a_remainder_is_sent_alone_and_blocks_nothing(runtime: Runtime, mailboxes: Mailboxes, store: SqlStore) -> None:
    """The first recipient gets both messages once each. The second gets both when there is room."""
    ingest(batch(announced("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=NOW + timedelta(seconds=1))
    sweep(runtime, now=NOW + timedelta(seconds=2))
    run_until_quiet(runtime, NOW + timedelta(seconds=2))
    first = list(mailboxes.ids)
    assert [message.step for message in mailboxes.sent] == ["firing", "resolved"]
    for minutes in range(2, 30):
        run_until_quiet(runtime, NOW + timedelta(minutes=minutes))
    [lane] = rows(store, LANES)
    assert (lane.failures, lane.probe_at, lane.failing_since, lane.broken_at) == (0, None, None, None)
    mailboxes.full = False
    run_until_quiet(runtime, NOW + timedelta(minutes=40))

    assert mailboxes.ids == first
    assert sorted(mailboxes.second) == sorted(first)
    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"sent"}


def test_the_rest_of_a_message_has_the_deadline_of_all(runtime: Runtime, mailboxes: Mailboxes, store: SqlStore) -> None:
    """After it, the remainder is a dead letter. Its replay is sent to the missing recipients only."""
    runtime = replace(runtime, retry=RetryPolicy(deadline=600))
    ingest(batch(failed("a")), runtime, now=NOW)
    for minutes in range(12):
        run_until_quiet(runtime, NOW + timedelta(minutes=minutes))
    [row] = AdminStore(store.engine).dead_letters.search()
    assert row.reason.startswith("expired")
    letter = AdminStore(store.engine).dead_letters.find(row.id)
    mailboxes.full = False
    assert letter is not None
    assert AdminStore(store.engine).dead_letters.requeue(letter, now=NOW + timedelta(minutes=12))
    run_until_quiet(runtime, NOW + timedelta(minutes=12))

    assert mailboxes.second == mailboxes.ids
    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"sent"}
