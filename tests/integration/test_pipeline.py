"""The pipeline on a real database: what a batch changes, and that the same batch again changes nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.channels.plain_text import count_of
from alertworker.delivery.channel import Pace
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import (
    Origin,
    PublisherHeartbeat,
    PublisherStopped,
)
from alertworker.outages.policy import Limits, OutagePolicy
from alertworker.pipeline import BatchMessage, Runtime, ingest, sweep
from alertworker.pipeline.notify import claim
from alertworker.ports import Lease
from alertworker.ports.dead_letters import LetterFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.ledger import SPEND
from alertworker.store.schema.outages import WINDOWS
from alertworker.text.format import spell_moment
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
    spend_of,
)


def test_the_first_failure_is_notified_at_once_and_the_rest_in_one_summary(runtime: Runtime, outbox: Outbox) -> None:
    """Sixty failures are two messages that count sixty."""
    for second in range(30):
        at = NOW + timedelta(seconds=second * 0.2)
        ingest(batch(failed(f"a{second}", at=at), failed(f"b{second}", at=at)), runtime, now=at)
        run_until_quiet(runtime, at)

    assert [message.step for message in outbox.sent] == [Step.NOTICE]

    sweep(runtime, now=NOW + timedelta(seconds=11))
    run_until_quiet(runtime, NOW + timedelta(seconds=11))

    assert [(message.step, message.count) for message in outbox.sent] == [(Step.NOTICE, 2), (Step.SUMMARY, 58)]
    assert outbox.sent[1].total == 60
    assert len(outbox.sent[1].members) + outbox.sent[1].members_more == 58


def test_a_quiet_hour_closes_a_notice_so_that_the_next_failure_is_announced_at_once(
    runtime: Runtime, outbox: Outbox
) -> None:
    """A failure within the hour waits for the next summary. One after it is a new alert."""
    ingest(batch(failed("a")), runtime, now=NOW)
    soon, later = NOW + timedelta(minutes=30), NOW + timedelta(minutes=91)
    sweep(runtime, now=soon)
    ingest(batch(failed("b", at=soon)), runtime, now=soon)
    run_until_quiet(runtime, soon)
    assert [message.step for message in outbox.sent] == [Step.NOTICE]

    for minutes in range(31, 92):
        sweep(runtime, now=NOW + timedelta(minutes=minutes))
    ingest(batch(failed("c", at=later)), runtime, now=later)
    run_until_quiet(runtime, later)
    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.SUMMARY, Step.NOTICE]
    assert len({message.alert_id for message in outbox.sent}) == 2


def test_a_callers_own_mistake_notifies_no_channel(runtime: Runtime, outbox: Outbox) -> None:
    """A bad request is in the ledger and in no message."""
    ingest(batch(failed("a", Origin.CALLER)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert outbox.sent == []


def test_the_same_batch_thrice_counts_once(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Spend is exact to the nano-dollar and there is one alert, however often a batch is delivered."""
    same = batch(answered("a"), answered("b", tags=("x", "y", "x")), failed("c"))
    for _ in range(3):
        ingest(same, runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert spend_of(store, "team") == {"search": 27_000}
    assert spend_of(store, "tag") == {"": 13_500, "x": 13_500, "y": 13_500}
    assert len(outbox.sent) == 1


def test_two_workers_with_the_same_batch_at_once_count_it_once(runtime: Runtime, store: SqlStore) -> None:
    """Twelve batches, each given to four threads at the same time, count as twelve batches."""
    batches = [batch(*(answered(f"{n}-{call}") for call in range(20)), failed(f"f{n}")) for n in range(12)]
    gate = threading.Barrier(4)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for item in batches:
                gate.wait()
                ingest(item, runtime, now=NOW)
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            errors.append(error)
            gate.abort()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert spend_of(store, "team") == {"search": 12 * 20 * 13_500}
    assert sum(window.succeeded for window in rows(store, WINDOWS)) == 240
    assert len(rows(store, NOTIFICATIONS)) == 1


def test_slow_calls_are_notified_with_the_slowest(runtime: Runtime, outbox: Outbox) -> None:
    """A call over the threshold is one Low notice, and one under it is none."""
    ingest(batch(answered("a", 3.5), answered("b", 9.25), answered("c", 2.9)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert len(outbox.sent) == 1
    assert outbox.sent[0].type is AlertType.LLM_TOO_SLOW
    assert "9.25s" in outbox.sent[0].headline
    assert outbox.sent[0].count == 2


def test_a_thousand_hung_calls_are_one_condition_that_counts_them_all(runtime: Runtime, outbox: Outbox) -> None:
    """There is one firing message, and one with all results when the last call has ended."""
    calls = [f"call-{number}" for number in range(1_000)]
    ingest(batch(*map(announced, calls[:500])), runtime, now=NOW)
    ingest(batch(*map(announced, calls[500:])), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(*(answered(call, announced=True) for call in calls)), runtime, now=NOW + timedelta(seconds=2))
    sweep(runtime, now=NOW + timedelta(seconds=3))
    run_until_quiet(runtime, NOW + timedelta(seconds=3))

    notified = [message for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING]
    assert [message.step for message in notified] == [Step.FIRING, Step.RESOLVED]
    assert notified[1].total == 1_000
    assert notified[1].facts["Ended"] == "1000 finished"


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_an_end_that_overtakes_its_announcement_leaves_no_hanging_call(
    runtime: Runtime, outbox: Outbox, order: tuple[int, ...]
) -> None:
    """A dead worker's batches arrive late and in any order: nothing stays open, and an ended call does not fire."""
    batches = [batch(announced("a")), batch(answered("a", announced=True)), batch(announced("a", 63))]
    for index in order:
        ingest(batches[index], runtime, now=NOW)
    for second in (1, 2, 20):
        sweep(runtime, now=NOW + timedelta(seconds=second))
        run_until_quiet(runtime, NOW + timedelta(seconds=second))

    notified = [message.step for message in outbox.sent]
    assert notified in ([Step.FIRED_AND_RESOLVED], [])


def test_fast_calls_never_hang(runtime: Runtime, outbox: Outbox) -> None:
    """600 good calls, whose ends arrive an hour late, raise no alert: missing ends prove nothing."""
    ingest(batch(*(answered(f"c{number}") for number in range(600))), runtime, now=NOW + timedelta(hours=1))
    sweep(runtime, now=NOW + timedelta(hours=1))
    run_until_quiet(runtime, NOW + timedelta(hours=1))

    assert outbox.sent == []


def heartbeat(at: datetime) -> PublisherHeartbeat:
    return PublisherHeartbeat(boot_id="boot-1", host="proxy-1", pid=7, version="1", started_at=NOW, occurred_at=at)


def test_a_proxy_that_goes_silent_is_one_notice_and_ends_its_calls(runtime: Runtime, outbox: Outbox) -> None:
    """It is lost only after the return of a canary that was sent when the silence was long enough."""
    ingest(batch(heartbeat(NOW), announced("a"), announced("b")), runtime, now=NOW)
    late = NOW + timedelta(seconds=120)
    sweep(runtime, now=late)
    run_until_quiet(runtime, late)
    assert [message.step for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST] == []

    ingest(batch(canary(runtime, late)), runtime, now=late)
    for second in range(3):
        sweep(runtime, now=late + timedelta(seconds=second))
    run_until_quiet(runtime, late + timedelta(seconds=3))

    lost = [message for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST]
    assert len(lost) == 1
    assert "2 announced calls" in lost[0].headline
    ended = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert [message.facts["Ended"] for message in ended] == ["2 proxy gone"]


def test_a_proxy_that_is_lost_comes_back_and_is_lost_again_is_one_alert(runtime: Runtime, outbox: Outbox) -> None:
    """Each silence counts. A late heartbeat from before it does not end it."""
    for start in (0, 600):
        begin = NOW + timedelta(seconds=start)
        ingest(batch(heartbeat(begin)), runtime, now=begin)
        for later in (120, 240):
            at = begin + timedelta(seconds=later)
            ingest(batch(canary(runtime, at), heartbeat(begin - timedelta(seconds=1))), runtime, now=begin)
            sweep(runtime, now=at)
            run_until_quiet(runtime, at)

    assert {message.alert_id for message in outbox.sent} == {outbox.sent[0].alert_id}
    assert [message.step for message in outbox.sent] == [Step.FIRING, *[Step.REMINDER] * 3]
    assert (outbox.sent[0].total, outbox.sent[-1].total) == (1, 2)


def test_a_proxy_that_was_shut_down_is_not_lost(runtime: Runtime, outbox: Outbox) -> None:
    """A clean shutdown ends the watch, also if an older heartbeat arrives after it."""
    bye = PublisherStopped(boot_id="boot-1", host="h", pid=7, version="1", started_at=NOW, occurred_at=NOW)
    ingest(batch(bye), runtime, now=NOW)
    ingest(batch(heartbeat(NOW - timedelta(seconds=1))), runtime, now=NOW)
    late = NOW + timedelta(seconds=120)
    ingest(batch(canary(runtime, late)), runtime, now=late)
    sweep(runtime, now=late)
    run_until_quiet(runtime, late)

    assert outbox.sent == []


def test_bad_events_are_dead_letters_and_good_ones_go_on(runtime: Runtime, store: SqlStore) -> None:
    """Each bad event is stored with its place and reason. The rest of the batch is posted."""
    good = answered("a").model_dump(mode="json", exclude_none=True)
    message = BatchMessage("b1", [good, {"type": "no.such"}, good | {"call_id": 7}], None, "curl")
    ingest(message, runtime, now=NOW)

    letters = AdminStore(store.engine).dead_letters.search()
    assert sorted(letter.position or 0 for letter in letters) == [1, 2]
    assert spend_of(store, "team") == {"search": 13_500}
    assert {(row.name, row.label): row.value for row in rows(store, COUNTERS)} == {("dead_letters", "event"): 2}


def test_an_older_batch_than_the_ids_we_keep_is_parked(runtime: Runtime, store: SqlStore) -> None:
    """It might have been applied before, so it must not be applied now."""
    ingest(replace(batch(answered("a")), sealed_at=NOW - timedelta(days=36)), runtime, now=NOW)

    assert len(AdminStore(store.engine).dead_letters.search(LetterFilter(kind=DeadLetterKind.BATCH))) == 1
    assert spend_of(store, "team") == {}


def test_a_failed_delivery_is_retried_with_the_same_id_and_body(runtime: Runtime, outbox: Outbox) -> None:
    """It is not tried before the time that the receiver asked for."""
    outbox.failures = [DeliveryError("busy", Reason.RATE_LIMITED, status=429, retry_after=2)]
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    run_until_quiet(runtime, NOW + timedelta(seconds=1.9))
    assert outbox.sent == []

    # The wait counts from the answer, which may arrive late on a busy machine.
    run_until_quiet(runtime, NOW + timedelta(seconds=30))
    assert len(outbox.sent) == 1


def test_a_message_that_no_retry_can_deliver_is_a_dead_letter(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """A permanent refusal is not retried."""
    outbox.failures = [DeliveryError("no", Reason.CLIENT_ERROR, status=400)]
    ingest(batch(failed("a")), runtime, now=NOW)
    for _ in range(3):
        run_until_quiet(runtime, NOW)

    assert outbox.sent == []
    assert [
        letter.reason
        for letter in AdminStore(store.engine).dead_letters.search(LetterFilter(kind=DeadLetterKind.NOTIFICATION))
    ] == ["client_error: no"]


def test_messages_of_one_alert_keep_their_order(runtime: Runtime, outbox: Outbox) -> None:
    """While the first message of an alert waits for its retry, the second waits behind it."""
    outbox.failures = [DeliveryError("down", Reason.UNREACHABLE)]
    ingest(batch(announced("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=NOW)
    sweep(runtime, now=NOW + timedelta(seconds=0.1))
    for second in (0.2, 5, 6):
        run_until_quiet(runtime, NOW + timedelta(seconds=second))

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]


def test_one_lane_is_worked_on_by_one_worker(runtime: Runtime, store: SqlStore) -> None:
    """A second worker finds the lane taken until the lease expires."""
    until = NOW + timedelta(seconds=30)
    assert store.lanes.lease(Lease("outbox", "first"), until=until, pace=Pace(), now=NOW)
    assert not store.lanes.lease(Lease("outbox", "second"), until=until, pace=Pace(), now=NOW)
    assert store.lanes.lease(Lease("outbox", "second"), until=until + timedelta(seconds=60), pace=Pace(), now=until)


def test_a_clock_that_is_far_ahead_is_not_believed(runtime: Runtime, store: SqlStore) -> None:
    """A time two days ahead counts as today, in the ledger and in alerts, and is counted as clamped."""
    ahead = {"occurred_at": NOW + timedelta(days=2)}
    ingest(batch(answered("a").model_copy(update=ahead), failed("b").model_copy(update=ahead)), runtime, now=NOW)

    assert {row.day for row in rows(store, SPEND)} == {NOW.date()}
    assert [(row.first_at, row.last_at) for row in rows(store, ALERTS)] == [(NOW, NOW)]
    assert [(row.label, row.value) for row in rows(store, COUNTERS) if row.name == "clamped"] == [("clock ahead", 2)]


def test_a_condition_that_rises_is_notified_at_once_and_only_upwards(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """There is one message per level. Occurrences on a reached level are counted for the next message."""

    def raised(level: int, severity: Severity, seconds: float) -> None:
        at = NOW + timedelta(seconds=seconds)
        failed_at = at - timedelta(seconds=10)  # so long ago that it does not wait for the ends of calls
        labels, summary = {"deployment": "d1"}, f"level {level}"
        alert = Alert(AlertType.OUTAGE_ALERTS, severity, labels, summary, failed_at, failed_at, count=5, level=level)
        store.run(lambda tx: claim(tx, alert, runtime, now=at))
        run_until_quiet(runtime, at)

    raised(1, Severity.MEDIUM, 0)
    raised(1, Severity.MEDIUM, 1)
    raised(2, Severity.HIGH, 2)
    raised(1, Severity.MEDIUM, 3)

    assert [(message.severity, message.count, message.total) for message in outbox.sent] == [
        (Severity.MEDIUM, 5, 5),
        (Severity.HIGH, 10, 15),
    ]
    assert [(row.level, row.count) for row in rows(store, ALERTS)] == [(2, 20)]


def test_a_summary_divides_its_count_among_teams(runtime: Runtime, outbox: Outbox) -> None:
    """Each message has the occurrences by team that no earlier message had."""
    teams = ["search"] * 3 + ["billing"]
    ingest(
        batch(*(failed(f"a{n}").model_copy(update={"team_id": team}) for n, team in enumerate(teams))), runtime, now=NOW
    )
    later = NOW + timedelta(seconds=1)
    ingest(batch(*(failed(f"b{n}", at=later) for n in range(20))), runtime, now=later)
    sweep(runtime, now=NOW + timedelta(seconds=11))
    run_until_quiet(runtime, NOW + timedelta(seconds=11))

    assert [message.facts["By team"] for message in outbox.sent] == ["search ×3, billing ×1", "search ×20"]
    assert [message.members_more for message in outbox.sent] == [0, 10]


def test_failed_and_slow_calls_show_the_messages_that_their_proxy_let_leave(runtime: Runtime, outbox: Outbox) -> None:
    """Without permission there are none."""
    shown = {"messages_excerpt": "user: hello"}
    events = [failed("a").model_copy(update=shown), answered("b", 9).model_copy(update=shown)]
    ingest(batch(*events, failed("c").model_copy(update={"model_group": "x"})), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert {(message.labels["model"], message.type): message.facts.get("Messages") for message in outbox.sent} == {
        ("gpt-4o", AlertType.LLM_EXCEPTIONS): "user: hello",
        ("gpt-4o", AlertType.LLM_TOO_SLOW): "user: hello",
        ("x", AlertType.LLM_EXCEPTIONS): None,
    }


def test_alerts_about_calls_link_to_their_trace(runtime: Runtime, outbox: Outbox) -> None:
    """This needs a configured host and a trace id. A caller's id stays inside the link."""
    runtime = replace(runtime, policy=replace(runtime.policy, langfuse_host="https://langfuse.example/"))
    traced = {"trace_id": "a/../b?c d"}
    ingest(
        batch(failed("a").model_copy(update=traced), answered("b", 9).model_copy(update=traced), announced("c")),
        runtime,
        now=NOW,
    )
    run_until_quiet(runtime, NOW)

    links = {message.type: message.facts.get("🪢 Langfuse Trace") for message in outbox.sent}
    assert links == {
        AlertType.LLM_EXCEPTIONS: "https://langfuse.example/trace/e8c1c19b9a5f7230fbce47e2b569ae9d",
        AlertType.LLM_TOO_SLOW: "https://langfuse.example/trace/e8c1c19b9a5f7230fbce47e2b569ae9d",
        AlertType.LLM_REQUESTS_HANGING: None,
    }


def test_bodies_are_logged_where_that_is_wanted(
    runtime: Runtime, outbox: Outbox, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """They are logged at warning level, as in LiteLLM, and not otherwise."""
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    assert caplog.records == []

    ingest(batch(failed("b").model_copy(update={"model_group": "x"})), runtime, now=NOW + timedelta(seconds=1))
    run_until_quiet(replace(runtime, log_payloads=True), NOW + timedelta(seconds=1))
    [record] = [record for record in caplog.records if record.name == "alertworker.pipeline.deliver"]
    assert record.levelname == "WARNING"
    assert "LLM API call failed: x" in record.getMessage()
    fields = {name: getattr(record, name) for name in ("alert_id", "channel", "notification_id")}
    [notification] = AdminStore(store.engine).notifications(alert_id=fields["alert_id"])
    assert fields == {
        "alert_id": outbox.sent[-1].alert_id,
        "channel": notification.channel,
        "notification_id": notification.id,
    }


def test_a_summary_has_the_increase_and_its_period(runtime: Runtime, outbox: Outbox) -> None:
    """The count is since the previous message, not since the first. The intervals grow."""
    for number in range(18):
        moment = NOW + timedelta(seconds=10 * number)
        ingest(batch(failed(f"call-{number}", at=moment)), runtime, now=moment)
        sweep(runtime, now=moment)
        run_until_quiet(runtime, moment)

    since = spell_moment(NOW)
    assert [count_of(message) for message in outbox.sent[1:]] == [
        f"1 more in 10 s; 2 in all since {since}",
        f"3 more in 30 s; 5 in all since {since}",
        f"12 more in 2 min; 17 in all since {since}",
    ]


def test_summaries_grow_with_the_messages_that_were_sent(runtime: Runtime, outbox: Outbox) -> None:
    """Quiet intervals count for nothing: after one notice the next summary comes with the next group interval."""
    moments = {minute: NOW + timedelta(minutes=minute) for minute in range(40)}
    runtime = replace(runtime, router=replace(runtime.router, group_interval=300.0))
    for minute, moment in moments.items():
        if minute in {0, 21, 26}:
            ingest(batch(failed(f"call-{minute}", at=moment)), runtime, now=moment)
        sweep(runtime, now=moment)
        run_until_quiet(runtime, moment)

    sent = [((message.at - NOW).total_seconds() / 60, message.step) for message in outbox.sent]
    assert sent == [(0, Step.NOTICE), (25, Step.SUMMARY)]
    sweep(runtime, now=NOW + timedelta(minutes=40))
    run_until_quiet(runtime, NOW + timedelta(minutes=40))
    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.SUMMARY, Step.SUMMARY]


def test_summaries_of_severity_low_go_into_one_digest(runtime: Runtime, outbox: Outbox) -> None:
    """A summary that is due soon does not wait for its own time."""
    outbox.digest_size = 50
    for number, second in enumerate((0, 6)):
        at = NOW + timedelta(seconds=second)
        one = failed(f"a{number}", at=at).model_copy(update={"model_group": f"m{number}"})
        ingest(batch(one), runtime, now=at)
        ingest(batch(one.model_copy(update={"call_id": f"b{number}"})), runtime, now=at)
        run_until_quiet(runtime, at)
    moment = NOW + timedelta(seconds=11)
    sweep(runtime, now=moment)
    run_until_quiet(runtime, moment)

    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.NOTICE, Step.DIGEST]
    assert [entry.count for entry in outbox.sent[-1].entries] == [1, 1]


@pytest.mark.parametrize(("more", "summaries"), [(2, 0), (6, 1)])
def test_failed_calls_are_summed_up_if_chance_does_not_explain_them(
    runtime: Runtime, outbox: Outbox, more: int, summaries: int
) -> None:
    """2 failures among 102 calls are those of a healthy deployment. Nobody has to read a summary of them.

    Failures that may be chance are not sent with the summary of another alert, either.
    """
    other = [failed(f"other-{n}").model_copy(update={"deployment_id": "d2"}) for n in range(4)]
    ingest(batch(failed("first"), other[0]), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(*(answered(f"good-{n}") for n in range(100)), *other[1:]), runtime, now=NOW)
    ingest(batch(*(failed(f"bad-{n}") for n in range(more))), runtime, now=NOW)
    for seconds in (11, 25, 40):
        sweep(runtime, now=NOW + timedelta(seconds=seconds))
        run_until_quiet(runtime, NOW + timedelta(seconds=seconds))

    about = [message.step for message in outbox.sent if message.labels["deployment"] == "d1"]
    assert about == [Step.NOTICE] + [Step.SUMMARY] * summaries
    assert [message.count for message in outbox.sent if message.labels["deployment"] == "d2"] == [1, 3]


@pytest.mark.parametrize("setting", ["digest", "share"])
def test_settings_that_ask_for_every_failure_have_summaries_of_chance(
    runtime: Runtime, outbox: Outbox, setting: str
) -> None:
    """An interval of the type's own digest, or LiteLLM's counts without evidence."""
    if setting == "digest":
        runtime = replace(runtime, router=replace(runtime.router, digests={AlertType.LLM_EXCEPTIONS: 10.0}))
    else:
        counts = OutagePolicy(deployment=Limits(seconds=60, minor=5, major=10))
        runtime = replace(runtime, policy=replace(runtime.policy, outages=counts))
    ingest(batch(failed("first"), *(answered(f"good-{n}") for n in range(100))), runtime, now=NOW)
    ingest(batch(failed("second")), runtime, now=NOW)
    sweep(runtime, now=NOW + timedelta(seconds=11))
    run_until_quiet(runtime, NOW + timedelta(seconds=11))
    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.SUMMARY]


def test_a_total_counts_failed_calls_that_were_not_summed_up(runtime: Runtime, outbox: Outbox) -> None:
    """They wait, and the next summary counts them."""
    ingest(batch(failed("first"), *(answered(f"good-{n}") for n in range(100))), runtime, now=NOW)
    ingest(batch(failed("second")), runtime, now=NOW)
    sweep(runtime, now=NOW + timedelta(seconds=11))
    later = NOW + timedelta(seconds=15)
    ingest(batch(*(failed(f"bad-{n}", at=later) for n in range(6))), runtime, now=later)
    sweep(runtime, now=NOW + timedelta(seconds=25))
    run_until_quiet(runtime, NOW + timedelta(seconds=25))

    assert [(message.step, message.count, message.total) for message in outbox.sent] == [
        (Step.NOTICE, 1, 1),
        (Step.SUMMARY, 7, 8),
    ]


def test_failures_that_hurt_users_are_summed_up_at_medium(runtime: Runtime, outbox: Outbox) -> None:
    """The first failed call is announced at Low. Five lost calls that are 5 % of all hurt; 20 of 1,000 do not."""
    for name, good in (("d1", 20), ("d2", 980)):
        fine = [answered(f"{name}-{n}", deployment_id=name) for n in range(good)]
        bad = [failed(f"{name}-bad{n}").model_copy(update={"deployment_id": name}) for n in range(20)]
        ingest(batch(*fine), runtime, now=NOW)
        for one in bad:
            ingest(batch(one), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    moment = NOW + timedelta(seconds=11)
    sweep(runtime, now=moment)
    run_until_quiet(runtime, moment)

    found = [(message.labels["deployment"], message.step, message.severity) for message in outbox.sent]
    assert sorted(found) == [
        ("d1", Step.NOTICE, Severity.LOW),
        ("d1", Step.SUMMARY, Severity.MEDIUM),
        ("d2", Step.NOTICE, Severity.LOW),
        ("d2", Step.SUMMARY, Severity.LOW),
    ]


def test_high_failures_that_have_ended_are_summed_up_before_their_interval_is_over(
    runtime: Runtime, outbox: Outbox
) -> None:
    """The second summary comes 15 min after the first one if they go on, and 5 min after the last one if not."""
    runtime = replace(runtime, router=replace(runtime.router, group_interval=300.0))
    for minute in range(45):
        moment = NOW + timedelta(minutes=minute)
        if minute < 11 or minute == 30:
            ingest(batch(failed(f"call-{minute}", Origin.PROXY, at=moment)), runtime, now=moment)
        sweep(runtime, now=moment)
        run_until_quiet(runtime, moment)

    sent = [((message.at - NOW).total_seconds() / 60, message.step, message.count) for message in outbox.sent]
    assert sent == [(0, Step.NOTICE, 1), (5, Step.SUMMARY, 5), (15, Step.SUMMARY, 5)]
    assert {message.severity for message in outbox.sent} == {Severity.HIGH}
