"""Lanes with a backlog, broken receivers, and replayed dead letters."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from alertworker import pipeline
from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Column, Table
from alertworker.channels import http
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.coalescing import plan
from alertworker.delivery.retry import DeliveryError, Reason, RetryAt, RetryPolicy
from alertworker.events.base import new_id
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.pipeline.deliver import LEASE
from alertworker.pipeline.notify import claim
from alertworker.ports import Lease
from alertworker.routing.router import Route
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, LANES, NOTIFICATIONS
from tests.integration.harness import (
    NOW,
    Outbox,
    announced,
    answered,
    batch,
    canary,
    failed,
    rows,
    run_until_quiet,
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def raise_alerts(runtime: Runtime, count: int) -> set[str]:
    """Raise this many different alerts, and return their ids."""

    def work(number: int) -> str:
        alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": str(number)}, f"failure {number}", NOW, NOW)
        return runtime.store.run(lambda tx: claim(tx, alert, runtime, now=NOW)).id

    return {work(number) for number in range(count)}


def named(outbox: Outbox) -> list[str]:
    """Return the ids of the alerts that were sent, directly or in a digest, in order."""
    found: list[str] = []
    for message in outbox.sent:
        found += [entry.alert_id for entry in message.entries] or [message.alert_id]
    return found


def test_a_thousand_alerts_at_once_are_few_messages_that_name_each_once(runtime: Runtime, outbox: Outbox) -> None:
    """None is lost, and none is sent twice."""
    outbox.digest_size = 100
    ids = raise_alerts(runtime, 1_000)
    run_until_quiet(runtime, NOW)

    assert len(outbox.sent) <= 20
    assert sorted(named(outbox)) == sorted(ids)
    assert {message.step for message in outbox.sent} >= {Step.DIGEST}


def test_a_digest_that_must_be_repeated_is_the_same(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """An attempted digest is sealed. Later messages wait for the next one, and for their turn."""
    outbox.digest_size = 100
    raise_alerts(runtime, 20)
    outbox.failures = [DeliveryError("down", Reason.SERVER_ERROR)]
    pipeline.deliver("outbox", runtime, now=NOW)
    [digest] = [row for row in rows(store, NOTIFICATIONS) if row.step == "digest"]
    assert digest.attempts == 1
    more = Alert(AlertType.LLM_TOO_SLOW, Severity.LOW, {}, "slow", NOW, NOW)
    store.run(lambda tx: claim(tx, more, runtime, now=after(1)))
    for seconds in (2, 10, 20):
        run_until_quiet(runtime, after(seconds))

    assert sorted(len(message.entries) for message in outbox.sent) == [0, 20]
    assert digest.id in outbox.ids
    assert {row.outcome for row in rows(store, ATTEMPTS)} == {"server_error", "sent"}


def test_the_end_of_an_alert_in_a_digest_waits_for_the_digest(runtime: Runtime, outbox: Outbox) -> None:
    """Messages of one alert keep their order, also while a digest is retried."""
    outbox.digest_size = 100
    ingest(batch(announced("a")), runtime, now=NOW)
    raise_alerts(runtime, 20)
    outbox.failures = [DeliveryError("down", Reason.SERVER_ERROR)]
    pipeline.deliver("outbox", runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(0.1))
    sweep(runtime, now=after(0.2))
    for seconds in (0.3, 10, 20):
        run_until_quiet(runtime, after(seconds))

    steps = [message.step for message in outbox.sent]
    assert steps.index(Step.DIGEST) < steps.index(Step.RESOLVED)


def test_a_resolved_message_is_in_no_digest_before_its_firing_one_is_sent(runtime: Runtime, outbox: Outbox) -> None:
    """The firing message was attempted and must be retried. Meanwhile enough messages wait to become a digest."""
    outbox.digest_size = 100
    ingest(batch(announced("a")), runtime, now=NOW)
    outbox.failures = [DeliveryError("slow down", Reason.SERVER_ERROR)]
    pipeline.deliver("outbox", runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(0.1))
    sweep(runtime, now=after(0.1))
    raise_alerts(runtime, 15)
    run_until_quiet(runtime, after(0.2))
    run_until_quiet(runtime, after(60))
    run_until_quiet(runtime, after(61))

    notified = [(entry.type, entry.step) for message in outbox.sent for entry in message.entries or (message,)]
    hanging = [step for alert_type, step in notified if alert_type is AlertType.LLM_REQUESTS_HANGING]
    assert hanging == [Step.FIRING, Step.RESOLVED]


def test_a_clock_that_is_set_back_does_not_turn_an_alerts_messages_round(runtime: Runtime, outbox: Outbox) -> None:
    """A message that was written later is sent later, even if the clock went back. This also holds inside a digest."""
    outbox.digest_size = 100
    ingest(batch(announced("a")), runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(-20))
    sweep(runtime, now=after(-20))
    run_until_quiet(runtime, after(1))

    assert [message.step for message in outbox.sent] == [Step.FIRED_AND_RESOLVED]


def test_a_condition_that_ended_before_its_firing_message_is_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """The message has both the firing and the resolution."""
    ingest(batch(announced("a")), runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(1))
    sweep(runtime, now=after(2))
    run_until_quiet(runtime, after(2))

    notified = [message for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING]
    assert [message.step for message in notified] == [Step.FIRED_AND_RESOLVED]
    assert notified[0].headline.startswith("Fired and resolved")


def test_reminders_that_waited_too_long_are_dropped(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Only the newest reminder is sent."""
    ingest(batch(announced("a")), runtime, now=NOW)
    outbox.failures = [DeliveryError("busy", Reason.RATE_LIMITED, retry_after=500)]
    run_until_quiet(runtime, NOW)
    for seconds in range(0, 400, 5):
        sweep(runtime, now=after(seconds))
    run_until_quiet(runtime, after(501))

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.REMINDER]
    assert len([row for row in rows(store, NOTIFICATIONS) if row.status == "dropped"]) >= 3


def test_a_message_that_keeps_failing_steps_aside(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The messages behind it are sent, and it is retried at its time."""
    runtime = replace(runtime, retry=RetryPolicy(first=1_000))
    raise_alerts(runtime, 3)
    outbox.failures = [DeliveryError("no", Reason.SERVER_ERROR)]
    run_until_quiet(runtime, NOW)
    first = min(rows(store, NOTIFICATIONS), key=lambda row: (row.created_at, row.id))
    assert [row.status for row in rows(store, NOTIFICATIONS) if row.id == first.id] == ["pending"]
    assert len(outbox.sent) == 2
    run_until_quiet(runtime, after(1_000))

    assert outbox.ids[-1] == first.id
    assert len(outbox.sent) == 3


def test_a_lease_outlasts_the_longest_attempt() -> None:
    """One more exchange fits, so that no other worker takes the lane while its worker waits for an answer."""
    assert timedelta(seconds=2 * http.DEADLINE) <= LEASE


def test_a_lease_is_renewed_for_the_attempt(runtime: Runtime, store: SqlStore) -> None:
    """Otherwise, a worker with an almost expired lease would give another one time to send the same message."""
    raise_alerts(runtime, 1)
    slow, other = Lease("outbox", "slow"), Lease("outbox", "other")
    assert store.lanes.lease(slow, until=NOW + LEASE, pace=Pace(), now=NOW)
    [due] = store.queue.next_due("outbox", limit=1, now=NOW)
    begun = NOW + LEASE - timedelta(seconds=0.1)
    assert store.lanes.begin({due.id: "body"}, slow, until=begun + LEASE, pace=Pace(), now=begun)

    assert not store.lanes.lease(other, until=after(90), pace=Pace(), now=begun + timedelta(seconds=http.DEADLINE))
    assert store.lanes.lease(other, until=after(90), pace=Pace(), now=begun + LEASE)


def test_a_lane_keeps_its_receivers_pace(runtime: Runtime, outbox: Outbox) -> None:
    """A burst is sent at once, then one message each interval."""
    outbox.pace = Pace(interval=10.0, burst=3)
    raise_alerts(runtime, 6)
    run_until_quiet(runtime, NOW)
    assert len(outbox.sent) == 3
    run_until_quiet(runtime, after(9))
    assert len(outbox.sent) == 3
    run_until_quiet(runtime, after(10.5))
    assert len(outbox.sent) == 4
    run_until_quiet(runtime, after(40))
    assert len(outbox.sent) == 6


def test_a_message_for_a_channel_of_another_kind_is_dead_and_delays_no_other(
    runtime: Runtime, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message waited while its channel's name was given to, for example, a budget webhook."""
    rendered = outbox.render

    def render(message: Message) -> str:
        if message.headline == "failure 0":
            raise DeliveryError("the message must have the figures of a budget", Reason.CLIENT_ERROR)
        return rendered(message)

    monkeypatch.setattr(outbox, "render", render)
    raise_alerts(runtime, 2)
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == ["failure 1"]
    store = runtime.store
    assert isinstance(store, SqlStore)
    [letter] = rows(store, DEAD_LETTERS)
    assert letter.reason == "client_error: the message must have the figures of a budget"


@pytest.fixture
def two(runtime: Runtime, outbox: Outbox) -> tuple[Runtime, Outbox]:
    """Return a runtime with a second channel, and that channel."""
    other = Outbox()
    other.name = "other"
    router = replace(runtime.router, root=Route(receiver="all"), receivers={"all": ("outbox", "other")})
    return replace(runtime, channels={"outbox": outbox, "other": other}, router=router), other


def test_a_broken_channel_is_announced_over_another_once_and_when_it_is_well(
    two: tuple[Runtime, Outbox], outbox: Outbox, store: SqlStore
) -> None:
    """Two refusals are one alert. The first accepted message resolves it."""
    runtime, other = two
    outbox.failures = [DeliveryError("answered 404", Reason.GONE, status=404)] * 2
    for number in range(3):
        ingest(batch(failed(f"{number}").model_copy(update={"model_group": f"m{number}"})), runtime, now=after(number))
        for name in ("outbox", "other"):
            while pipeline.deliver(name, runtime, now=after(number)):
                pass

    notified = [message for message in other.sent if message.type is AlertType.CHANNEL_BROKEN]
    assert [message.step for message in notified] in ([Step.FIRING, Step.RESOLVED], [Step.FIRING])
    pipeline.deliver("other", runtime, now=after(5))
    notified = [message for message in other.sent if message.type is AlertType.CHANNEL_BROKEN]
    assert [message.step for message in notified] == [Step.FIRING, Step.RESOLVED]
    assert "answered 404" in notified[0].facts["Last answer"]
    assert notified[1].facts == {"Channel": "outbox", "State": "accepts messages again"}
    assert not any(message.type is AlertType.CHANNEL_BROKEN for message in outbox.sent)
    assert all(row.broken_at is None for row in rows(store, LANES))


def test_a_dead_notification_that_is_replayed_is_sent_with_its_id(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The message is unchanged and sent once, and the letter is deleted."""
    outbox.failures = [DeliveryError("no", Reason.CLIENT_ERROR, status=400)]
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    admin = AdminStore(store.engine)
    [row] = admin.dead_letters.search()
    assert (row.type, row.channel) == ("llm_exceptions", "outbox")
    assert pipeline.replay(row.id, admin.dead_letters, runtime.broker, now=after(1))
    assert not pipeline.replay(row.id, admin.dead_letters, runtime.broker, now=after(1))
    run_until_quiet(runtime, after(1))

    assert outbox.ids == [row.batch_id]
    assert admin.dead_letters.search() == []


def test_shadow_does_everything_but_send(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Rows, attempts and settling exist, and the receiver gets nothing."""
    ingest(batch(failed("a")), replace(runtime, shadow=True), now=NOW)
    run_until_quiet(replace(runtime, shadow=True), NOW)

    assert outbox.sent == []
    assert [row.answer for row in rows(store, NOTIFICATIONS)] == ["shadow: not sent"]


@pytest.mark.parametrize("others", [0, 20])
def test_a_resolved_message_has_all_facts_if_the_firing_one_is_never_sent(
    runtime: Runtime, outbox: Outbox, store: SqlStore, others: int
) -> None:
    """The firing message died while the resolving one waited for it, alone or in a digest.

    Nobody would understand the latter.
    """
    outbox.digest_size = 100
    ingest(batch(announced("a")), runtime, now=NOW)
    raise_alerts(runtime, others)
    outbox.failures = [DeliveryError("down", Reason.SERVER_ERROR), DeliveryError("no", Reason.CLIENT_ERROR)]
    pipeline.deliver("outbox", runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(0.1))
    sweep(runtime, now=after(0.2))
    run_until_quiet(runtime, after(5))

    notified = [message for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING]
    assert [message.step for message in notified] == [Step.FIRED_AND_RESOLVED]
    assert notified[0].headline.startswith("Fired and resolved after")
    [end] = [row for row in rows(store, NOTIFICATIONS) if row.step.startswith("resolved")]
    assert "Fired and resolved" in end.message


def test_the_resolved_message_follows_a_sent_firing_one_after_a_refused_reminder(
    runtime: Runtime, outbox: Outbox
) -> None:
    """The firing message was sent, and a reminder was refused."""
    ingest(batch(announced("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    outbox.failures = [DeliveryError("down", Reason.SERVER_ERROR), DeliveryError("no", Reason.CLIENT_ERROR)]
    sweep(runtime, now=after(100))
    pipeline.deliver("outbox", runtime, now=after(100))
    ingest(batch(answered("a", announced=True)), runtime, now=after(100.1))
    sweep(runtime, now=after(100.2))
    run_until_quiet(runtime, after(110))

    assert outbox.failures == []
    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]


def test_an_alert_notified_only_in_shadow_has_no_resolved_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Shadow was turned off in between. While it is on, the resolving message is written like all others."""
    shadow = replace(runtime, shadow=True)
    ingest(batch(announced("a")), shadow, now=NOW)
    run_until_quiet(shadow, NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(1))
    sweep(runtime, now=after(2))
    run_until_quiet(runtime, after(2))
    assert outbox.sent == []

    later = announced("b").model_copy(update={"model_group": "other"})
    ingest(batch(later), shadow, now=after(3))
    ingest(batch(answered("b", announced=True)), shadow, now=after(4))
    sweep(shadow, now=after(5))
    run_until_quiet(shadow, after(5))
    assert outbox.sent == []
    assert [row.step.split(":")[0] for row in rows(store, NOTIFICATIONS)].count("resolved") == 1


def test_the_dead_mans_switch_is_pinged_only_while_the_pipeline_works(runtime: Runtime) -> None:
    """It is pinged once an interval, and not if no canary has returned within it."""

    pings: list[int] = []
    runtime = replace(runtime, heartbeat=lambda: pings.append(1), heartbeat_seconds=60)
    sweep(runtime, now=NOW)
    assert pings == []
    ingest(batch(canary(runtime, NOW)), runtime, now=NOW)
    for seconds in (1, 2, 30):
        sweep(runtime, now=after(seconds))
    assert len(pings) == 1
    for seconds in (62, 70, 200):
        sweep(runtime, now=after(seconds))
    assert len(pings) == 1


def test_a_digest_that_was_never_attempted_is_not_made_part_of_another(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Its worker died before the first attempt. The messages in it are sent nevertheless."""
    outbox.digest_size = 15
    ids = raise_alerts(runtime, 30)
    waiting = store.queue.waiting("outbox", limit=20, now=NOW)
    store.queue.merge("outbox", plan(waiting, digest_size=15, alert_id=str(new_id()), now=NOW), now=NOW)
    run_until_quiet(runtime, after(1))

    assert sorted(named(outbox)) == sorted(ids)


def test_a_report_goes_into_no_digest(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A headline lacks the report's tables. The messages around it are merged nevertheless."""
    outbox.digest_size = 15
    table = Table(title="Teams", columns=(Column(name="team"),), rows=(("search",),))
    report = Alert(AlertType.SPEND_REPORTS, Severity.LOW, {"period": "w"}, "report", NOW, NOW, tables=(table,))
    ids = raise_alerts(runtime, 15)
    notified = store.run(lambda tx: claim(tx, report, runtime, now=NOW)).id
    run_until_quiet(runtime, after(1))

    assert sorted(named(outbox)) == sorted({*ids, notified})
    (alone,) = [message for message in outbox.sent if message.alert_id == notified]
    assert alone.tables == (table,)
    assert len(outbox.sent) < 10


def test_a_worker_that_lost_its_lane_neither_sends_nor_decides(runtime: Runtime, store: SqlStore) -> None:
    """The worker was stopped for longer than its lease, and another one has sent the message."""
    raise_alerts(runtime, 1)
    old, new = Lease("outbox", "old"), Lease("outbox", "new")
    until = after(30)
    assert store.lanes.lease(old, until=until, pace=Pace(), now=NOW)
    [due] = store.queue.next_due("outbox", limit=2, now=NOW)
    assert store.lanes.begin({due.id: "body"}, old, until=until, pace=Pace(), now=NOW)
    assert not store.lanes.begin({due.id: "body"}, old, until=after(60), pace=Pace(), now=until)
    assert store.lanes.lease(new, until=after(60), pace=Pace(), now=until)
    store.lanes.settle_dead(due.id, old, reason="client_error", answer="no", now=until)
    error = DeliveryError("down", Reason.SERVER_ERROR)
    store.lanes.settle_retry(
        due.id, old, error=error, verdict=RetryAt(after(90), counts=True, pauses_lane=True), now=after(30.5)
    )
    store.lanes.settle_sent({due.id: Answer("200")}, new, longest=60, now=after(31))

    [row] = rows(store, NOTIFICATIONS)
    assert (row.status, row.attempts) == ("sent", 0)
    assert AdminStore(store.engine).dead_letters.search() == []
    assert {attempt.outcome for attempt in rows(store, ATTEMPTS)} == {"client_error", "server_error", "sent"}


def test_a_channel_that_is_the_only_one_routed_is_announced_over_another_for_people(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """No other channel is in a route. Receivers that are programs get nothing about it."""
    people, program = Outbox(), Outbox()
    people.name, people.digest_size, program.name = "people", 10, "program"
    runtime = replace(runtime, channels={"outbox": outbox, "people": people, "program": program})
    outbox.failures = [DeliveryError("answered 404", Reason.GONE, status=404)]
    ingest(batch(failed("a")), runtime, now=NOW)
    for seconds, name in enumerate(("outbox", "people", "program")):
        pipeline.deliver(name, runtime, now=after(seconds * 5))

    assert [message.type for message in people.sent] == [AlertType.CHANNEL_BROKEN]
    assert program.sent == []


def test_two_levels_that_wait_for_a_receiver_are_one_message(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The message is the later one. It counts everything, because the earlier one was never attempted."""
    outbox.digest_size = 15
    for level, severity in ((1, Severity.MEDIUM), (2, Severity.HIGH)):
        alert = Alert(
            AlertType.OUTAGE_ALERTS, severity, {"deployment": "d1"}, f"level {level}", NOW, NOW, count=5, level=level
        )
        store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))
    run_until_quiet(runtime, NOW)

    (message,) = outbox.sent
    assert (message.headline, message.severity, message.count, message.total) == ("level 2", Severity.HIGH, 10, 10)


def test_receivers_for_programs_get_each_level(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """They take one document for each message."""
    outbox.digest_size = 0
    for level in (1, 2):
        alert = Alert(
            AlertType.OUTAGE_ALERTS, Severity.HIGH, {"deployment": "d1"}, f"level {level}", NOW, NOW, level=level
        )
        store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == ["level 1", "level 2"]
