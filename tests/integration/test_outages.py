"""Outages on a real database: counted by attempt and event time, notified once, and resolved only with certainty."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import update

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.events import (
    AttemptFailed,
    Event,
    FailedOn,
    Failure,
    Origin,
    PublisherHeartbeat,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages.windows import Target
from alertworker.pipeline import Runtime, current_row, ingest, sweep
from alertworker.ports.alert_search import AlertRow
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS, MEMBERS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.outages import CAUSES
from tests.integration.harness import NOW, Outbox, batch, canary, rows, run_until_quiet

START = NOW.replace(second=10)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with reminders of outages every 4 hours."""
    return replace(runtime, router=replace(runtime.router, repeat_interval=14_400.0))


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def attempt(
    seconds: float = 0,
    *,
    deployment: str | None = "d1",
    status: int = 503,
    origin: Origin = Origin.PROVIDER,
    region: str | None = None,
    first: bool | None = None,
    health_check: bool = False,
) -> AttemptFailed:
    """Return an attempt that failed this long after the start."""
    return AttemptFailed(
        first_on_deployment=first,
        health_check=health_check,
        call_id=f"call-{seconds}",
        started_at=after(seconds),
        occurred_at=after(seconds),
        model_group="gpt-4o",
        deployment_id=deployment,
        provider="azure",
        region=region,
        team_id="search",
        failure=Failure(error_class="ServiceUnavailableError", status_code=status, origin=origin, message="no"),
    )


def success(seconds: float = 0, *, deployment: str = "d1", region: str | None = None, **more: Any) -> RequestSucceeded:
    return RequestSucceeded(
        call_id=f"good-{seconds}",
        started_at=after(seconds),
        ended_at=after(seconds),
        occurred_at=after(seconds),
        deployment_id=deployment,
        provider="azure",
        region=region,
        cost_nanos=0,
        **{"model_group": "gpt-4o", **more},
    )


def lost(seconds: float = 0, **more: Any) -> RequestFailed:
    """Return a call whose every attempt failed."""
    one = attempt(seconds).model_copy(update=more)
    return RequestFailed(
        ended_at=after(seconds),
        **{
            name: getattr(one, name)
            for name in RequestFailed.model_fields
            if hasattr(one, name) and name not in {"type", "event_id"}
        },
    )


def saved(seconds: float = 0, *deployments: str, region: str | None = None) -> RequestSucceeded:
    """Return a call that another deployment answered after some had failed it. So their outages do not wait."""
    failed_on = [FailedOn(deployment_id=name, provider="azure", region=region) for name in deployments or ("d1",)]
    return success(seconds, deployment="d9", failed_on=tuple(failed_on))


def ingest_at(runtime: Runtime, *events: Event, at: float = 0) -> None:
    """Ingest a batch."""
    ingest(batch(*events), runtime, now=after(at))


def pass_time(runtime: Runtime, at: float) -> None:
    """Return a canary that confirms everything until 5 s before ``at``, and sweep."""
    ingest_at(runtime, canary(runtime, after(at - 5) + REDELIVERED_WITHIN), at=at)
    sweep(runtime, now=after(at))
    run_until_quiet(runtime, after(at))


def sent_of(outbox: Outbox, alert_type: AlertType = AlertType.OUTAGE_ALERTS) -> list[tuple[Step, str]]:
    """Return the step and headline of each message of a type."""
    return [(message.step, message.headline) for message in outbox.sent if message.type is alert_type]


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Run the work in threads that start together."""
    gate, errors = threading.Barrier(len(works)), []

    def one(work: Callable[[], None]) -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            errors.append(error)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_one_condition_rises_and_is_resolved_with_totals(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """More than chance is minor and ten are major, at one severity and in one message. Successes end it."""
    for second in range(14):
        ingest_at(runtime, attempt(second), lost(second), success(second), at=second)
        run_until_quiet(runtime, after(second))
    for at in (30, 60):
        ingest_at(runtime, *[success(at)] * 8, at=at)
        pass_time(runtime, at)
    assert sent_of(outbox) == [(Step.FIRING, "Minor Service Outage: azure/gpt-4o (d1)")]
    (minor,) = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert minor.facts["Attempts"] == "6 of 12 failed in 5 s"
    assert (minor.facts["Causes"], minor.facts["Threshold"]) == ("503 ×6", "5 failed calls that are 10 % of the calls")
    assert minor.severity is Severity.HIGH
    assert (minor.since, minor.facts["Calls lost"]) == (START, "6 (search ×6)")

    pass_time(runtime, 85)
    assert sent_of(outbox)[1:] == [(Step.RESOLVED, "Resolved after 30 s: Major Service Outage: azure/gpt-4o (d1)")]
    assert outbox.sent[-1].facts["Attempts"] == "14 of 28 failed in 13 s"
    assert outbox.sent[-1].facts["Calls lost"] == "14 (search ×14)"
    assert [row.count for row in rows(store, ALERTS) if row.type == AlertType.OUTAGE_ALERTS] == [14]


def test_a_batch_that_crosses_two_levels_is_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """Forty errors among 60 good calls: the higher level, once, with its causes."""
    good = [success(n / 3) for n in range(60)]
    bad = [attempt(n / 2, status=503 if n < 33 else 429) for n in range(40)]
    ingest_at(runtime, *good, *bad, saved(20))
    run_until_quiet(runtime, NOW)

    assert sent_of(outbox) == [(Step.FIRING, "Major Service Outage: azure/gpt-4o (d1)")]
    assert outbox.sent[0].facts["Attempts"] == "40 of 100 failed in 20 s"
    assert outbox.sent[0].facts["Causes"] == "503 ×33, 429 ×7"


@pytest.mark.parametrize(
    "events",
    [
        [attempt(n, status=400) for n in range(20)],
        [attempt(n, origin=Origin.CALLER) for n in range(20)],
        [attempt(n, status=429, origin=Origin.PROXY) for n in range(20)],
        [attempt(n, deployment=None) for n in range(20)],
        [event for n in range(14) for event in (attempt(n * 20), *[success(n * 20 + 1)] * 10)],
        [attempt(1, first=n == 0) for n in range(20)],
        [attempt(n, health_check=True) for n in range(20)],
        [attempt(n, status=429) for n in range(20)],
        [attempt(20 * n, status=429) for n in range(15)],
    ],
    ids=[
        "bad requests",
        "callers",
        "our own limits",
        "before any deployment",
        "a small share",
        "retries of one call",
        "health checks",
        "rate limits of calls that are saved",
        "rate limits of a deployment that answers nothing for less than five minutes",
    ],
)
def test_few_or_unrelated_failures_are_not_an_outage(
    runtime: Runtime, outbox: Outbox, events: list[AttemptFailed]
) -> None:
    """Only calls that the deployment failed count, and only more of them than chance explains."""
    ingest_at(runtime, *events)
    run_until_quiet(runtime, NOW)

    assert sent_of(outbox) == []


def test_share_and_traffic_may_be_asked_for(runtime: Runtime, outbox: Outbox) -> None:
    """A busy deployment with few errors need not be an outage."""
    policy = runtime.policy
    limits = replace(policy.outages.deployment, share=0.1, traffic=20)
    runtime = replace(runtime, policy=replace(policy, outages=replace(policy.outages, deployment=limits)))
    ingest_at(runtime, *(success(n) for n in range(50)), *(attempt(n) for n in range(5)))
    other = [
        attempt(n, deployment="d2").model_copy(update={"model_group": "o3", "provider": "openai"}) for n in range(20)
    ]
    ingest_at(runtime, *other[:15])
    run_until_quiet(runtime, NOW)
    assert sent_of(outbox) == []

    ingest_at(runtime, *other[15:], saved(20, "d2"))
    run_until_quiet(runtime, after(60))
    assert sent_of(outbox) == [(Step.FIRING, "Major Service Outage: openai/o3 (d2)")]


@pytest.mark.parametrize("attempt_number", range(5))
def test_two_workers_with_half_of_the_failures_each_do_not_both_miss_it(
    runtime: Runtime, store: SqlStore, attempt_number: int
) -> None:
    """The halves are in different buckets, so no other row makes one worker wait for the other."""
    first, second = batch(*(attempt(n) for n in range(2)), saved(1)), batch(*(attempt(10 + n) for n in range(3)))
    at_once([lambda: ingest(first, runtime, now=NOW), lambda: ingest(second, runtime, now=NOW)])

    assert [row.count for row in rows(store, ALERTS)] == [5]
    assert len(rows(store, NOTIFICATIONS)) == 1


def test_any_order_split_and_redelivery_sends_the_same_messages(runtime: Runtime, store: SqlStore) -> None:
    """Eight workers apply each batch twice."""
    events = [*(attempt(n * 2) for n in range(12)), *(success(n) for n in range(40)), *(saved(n) for n in range(12))]
    Random(7).shuffle(events)
    batches = [batch(*events[start : start + 7]) for start in range(0, len(events), 7)] * 2
    at_once([lambda one=one: ingest(one, runtime, now=NOW) for one in batches])  # type: ignore[misc]

    (alert,) = rows(store, ALERTS)
    assert (alert.level, alert.severity, alert.first_at) == (1, "Medium", START)
    assert 1 <= len(rows(store, NOTIFICATIONS)) <= 2


def test_a_late_batch_opens_nothing_that_is_over(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Failures before the last resolution are counted. A later one opens a new outage."""
    ingest_at(runtime, *(attempt(n) for n in range(10)), saved(9))
    run_until_quiet(runtime, after(10))
    ingest_at(runtime, success(70), at=70)
    pass_time(runtime, 95)
    ingest_at(runtime, *(attempt(n) for n in range(5, 25)), at=100)
    pass_time(runtime, 100)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED]
    assert {row.label: row.value for row in rows(store, COUNTERS) if row.name == "late_attempts"} == {
        "after its outage": 20
    }

    ingest_at(runtime, *(attempt(n) for n in range(100, 105)), saved(104), at=105)
    pass_time(runtime, 105)
    assert sent_of(outbox)[2:] == [(Step.FIRING, "Minor Service Outage: azure/gpt-4o (d1)")]


def test_attempts_that_began_before_the_end_open_no_new_outage(runtime: Runtime, outbox: Outbox) -> None:
    """They time out minutes after the deployment has recovered. Attempts that began later show a new outage."""
    ingest_at(runtime, *(attempt(n) for n in range(10)), saved(9))
    run_until_quiet(runtime, after(10))
    ingest_at(runtime, success(70), at=70)
    pass_time(runtime, 95)
    slow = [attempt(n).model_copy(update={"seconds": 600.0}) for n in range(400, 420)]
    ingest_at(runtime, *slow, at=420)
    pass_time(runtime, 420)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED]

    slow = [attempt(n).model_copy(update={"seconds": 600.0}) for n in range(2_400, 2_420)]
    ingest_at(runtime, *slow, saved(2_419), at=2_420)
    pass_time(runtime, 2_420)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED, Step.FIRING]


def test_a_late_batch_does_not_reword_a_major_outage(runtime: Runtime, store: SqlStore) -> None:
    """Five earlier failures are counted, and may move its start."""
    ingest_at(runtime, *(attempt(n) for n in range(60, 70)), at=70)
    (before,) = rows(store, ALERTS)
    ingest_at(runtime, *(attempt(n) for n in range(3)), at=75)
    (alert,) = rows(store, ALERTS)

    assert (alert.headline, alert.facts, alert.level, alert.count) == (before.headline, before.facts, 1, 13)


def test_an_outage_ends_only_once_no_dead_worker_can_hold_its_calls(runtime: Runtime, outbox: Outbox) -> None:
    """A dead worker's batch is redelivered within 30 s, behind the canary."""
    ingest_at(runtime, *(attempt(n) for n in range(10)), saved(9), success(65))
    run_until_quiet(runtime, after(66))
    over = 80  # the last failure, and a whole window after it
    for at, steps in ((over + 25, 1), (over + 35, 2)):
        ingest_at(runtime, canary(runtime, after(at)), at=at)
        sweep(runtime, now=after(at))
        run_until_quiet(runtime, after(at))
        assert len(sent_of(outbox)) == steps, at


def test_silence_and_a_backlog_end_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """Without a canary, or with a publisher's backlog, the state is unknown."""
    beat = PublisherHeartbeat(
        boot_id="b", host="h", pid=1, version="1", started_at=START, occurred_at=START, interval_seconds=10, backlog=3
    )
    ingest_at(runtime, *(attempt(n) for n in range(10)), saved(9), success(65))
    sweep(runtime, now=after(5_000))
    ingest_at(runtime, beat, at=90)
    pass_time(runtime, 95)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING]

    ingest_at(runtime, beat.model_copy(update={"backlog": 0, "occurred_at": after(96)}), at=96)
    pass_time(runtime, 97)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED]


def test_without_attempts_its_end_is_unknown(runtime: Runtime, outbox: Outbox) -> None:
    """Some calls succeed between failures, then there are none. After 15 minutes the state is unknown."""
    ingest_at(runtime, *(attempt(n) for n in range(10)), success(5))
    pass_time(runtime, 600)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING]

    pass_time(runtime, 930)
    assert sent_of(outbox)[-1] == (
        Step.RESOLVED,
        "Closed after 15 min 30 s: Major Service Outage: azure/gpt-4o (d1)",
    )
    assert outbox.sent[-1].facts["State"] == "unknown: no calls for 15 min"


def test_few_calls_that_all_fail_are_one_outage(runtime: Runtime, outbox: Outbox) -> None:
    """Five calls fail at once, then one each 20 minutes. None succeeds."""
    ingest_at(runtime, *(attempt(n) for n in range(5)))
    for second in range(60, 7_200, 60):
        if second % 1_200 == 0:
            ingest_at(runtime, attempt(second), at=second)
        pass_time(runtime, second + 10)

    assert [step for step, _ in sent_of(outbox) if step is not Step.REMINDER] == [Step.FIRING]


def test_an_outage_lasts_until_successes_are_more_than_its_error_rate_explains(
    runtime: Runtime, outbox: Outbox
) -> None:
    """Half of 60 calls a minute fail: within a day chance brings ten successes in a row, but hardly sixteen."""
    ingest_at(runtime, *(attempt(n) for n in range(0, 60, 2)), *(success(n) for n in range(1, 60, 2)), at=60)
    ingest_at(runtime, *(success(70 + n) for n in range(10)), at=80)
    pass_time(runtime, 160)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING]

    ingest_at(runtime, *(success(164 + n) for n in range(6)), at=175)
    pass_time(runtime, 190)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED]


def test_few_calls_that_all_fail_are_an_outage_until_one_succeeds(runtime: Runtime, outbox: Outbox) -> None:
    """There is one call in 20 minutes: no window holds five failures, and a pause ends nothing."""
    for number in range(5):
        ingest_at(runtime, attempt(number * 1_200), lost(number * 1_200), at=number * 1_200)
        pass_time(runtime, number * 1_200 + 60)
        assert sent_of(outbox) == ([] if number < 4 else [(Step.FIRING, "Major Service Outage: azure/gpt-4o (d1)")])
    (message,) = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert message.severity is Severity.HIGH
    assert message.facts["Attempts"] == "5 of 5 failed in 1 h 20 min"

    pass_time(runtime, 4 * 1_200 + 2_000)
    assert len(sent_of(outbox)) == 1
    ingest_at(runtime, success(7_000), at=7_000)
    pass_time(runtime, 7_100)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING, Step.RESOLVED]


def test_a_brownout_is_judged_over_a_quarter_of_an_hour(runtime: Runtime, outbox: Outbox) -> None:
    """15 % of seven calls a minute: the minute holds one failure, which proves nothing."""
    for number in range(1, 106):
        seconds = number * 60 / 7
        failed = [attempt(seconds), saved(seconds)]
        ingest_at(runtime, *(failed if number % 7 == 0 else [success(seconds)]), at=seconds)
    run_until_quiet(runtime, after(905))

    assert sent_of(outbox) == [(Step.FIRING, "Minor Service Outage: azure/gpt-4o (d1)")]


def test_the_level_rises_when_calls_are_lost(runtime: Runtime, outbox: Outbox) -> None:
    """Their ends may come after the last failed attempt."""
    failed_on = (FailedOn(deployment_id="d1", provider="azure"),)
    ingest_at(runtime, *(attempt(n) for n in range(12)), *(success(n) for n in range(12)), saved(12))
    run_until_quiet(runtime, after(12))
    ingest_at(runtime, *(lost(n, deployment_id="d9", failed_on=failed_on) for n in range(5)), at=20)
    run_until_quiet(runtime, after(20))

    found = [message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS]
    assert [message.severity for message in found] == [Severity.MEDIUM, Severity.HIGH]
    assert found[-1].facts["Calls lost"] == "5 (search ×5)"


def test_a_share_of_0_counts_as_litellm_does(runtime: Runtime, outbox: Outbox) -> None:
    """Five failures in a minute are minor and ten are major, even if other calls succeed."""
    policy = runtime.policy
    limits = replace(policy.outages.deployment, share=0.0)
    runtime = replace(runtime, policy=replace(policy, outages=replace(policy.outages, deployment=limits)))
    ingest_at(runtime, *(success(n / 10) for n in range(500)), *(attempt(n) for n in range(10)))
    run_until_quiet(runtime, after(60))

    (message,) = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert (message.headline, message.severity) == ("Major Service Outage: azure/gpt-4o (d1)", Severity.HIGH)


def test_a_dead_deployment_is_closed_after_a_day_without_calls(runtime: Runtime, outbox: Outbox) -> None:
    """With so few calls, 15 minutes prove nothing. The message has the time without calls."""
    ingest_at(runtime, *(attempt(n * 200) for n in range(5)), at=900)
    run_until_quiet(runtime, after(900))
    pass_time(runtime, 86_000)
    assert [step for step, _ in sent_of(outbox)] == [Step.FIRING] + [Step.REMINDER] * (len(sent_of(outbox)) - 1)

    pass_time(runtime, 800 + 86_400 + 60)
    assert sent_of(outbox)[-1][0] is Step.RESOLVED
    assert outbox.sent[-1].facts["State"] == "unknown: no calls for 1 d"


@pytest.mark.parametrize("size", [1, 2, 12])
def test_a_dead_deployment_is_the_same_in_any_batches(runtime: Runtime, store: SqlStore, size: int) -> None:
    """A success before the first failure changes nothing."""
    events: list[Event] = [success(1)]
    for second in (60, 200, 400, 600, 1_000):
        failed_on = (FailedOn(deployment_id="d1", provider="azure"),)
        events += [attempt(second), lost(second, failed_on=failed_on)]
    for first in range(0, len(events), size):
        ingest_at(runtime, *events[first : first + size], at=1_010)

    (row,) = (row for row in rows(store, ALERTS) if row.type == "outage_alerts")
    assert (row.headline, row.severity) == ("Major Service Outage: azure/gpt-4o (d1)", "High")
    assert (row.first_at, row.count) == (after(60), 5)


def test_calls_that_are_lost_long_after_a_stretch_do_not_count_for_it(runtime: Runtime, store: SqlStore) -> None:
    """Its failures come late. The deployment lost other calls later, one in a while and among many that it answered."""
    failed_on = (FailedOn(deployment_id="d1", provider="azure"),)
    later: list[Event] = []
    for second in range(1_000, 2_000, 100):
        later += [attempt(second), lost(second, failed_on=failed_on)]
        later += [success(second + n / 10) for n in range(1, 200)]
    ingest_at(runtime, *later, at=2_001)
    assert [row for row in rows(store, ALERTS) if row.type == "outage_alerts"] == []

    ingest_at(runtime, *(attempt(n) for n in range(8)), at=2_002)
    (row,) = (row for row in rows(store, ALERTS) if row.type == "outage_alerts")
    assert row.severity == "Medium"


def test_a_region_needs_two_failing_deployments_and_mutes_them(runtime: Runtime, outbox: Outbox) -> None:
    """Its deployments' outages are recorded. An outage after the region's recovery is notified."""
    ingest_at(runtime, *(attempt(n, region="eu") for n in range(4)))
    ingest_at(runtime, *(attempt(n, deployment="d2", region="eu") for n in range(4)), at=5)
    ingest_at(runtime, attempt(6, region="eu"), lost(6), at=6)
    pass_time(runtime, 17)
    assert [message.headline for message in outbox.sent] == ["Minor Service Outage: region eu (azure)"]
    assert outbox.sent[0].facts["Deployments"] == (
        "azure/gpt-4o in eu (d1): 5 of 5 failed, azure/gpt-4o in eu (d2): 4 of 4 failed"
    )

    ingest_at(runtime, *(attempt(n, region="eu") for n in range(70, 75)), at=75)
    run_until_quiet(runtime, after(76))
    ingest_at(runtime, success(80, deployment="d2", region="eu", model_group="gpt-4o"), at=80)
    pass_time(runtime, 85)
    pass_time(runtime, 90)
    assert sent_of(outbox, AlertType.REGION_OUTAGE_ALERTS)[-1][0] is Step.RESOLVED
    assert sent_of(outbox) == []

    ingest_at(runtime, attempt(100, region="eu"), at=101)
    pass_time(runtime, 105)
    assert sent_of(outbox) == [(Step.FIRING, "Major Service Outage: azure/gpt-4o in eu (d1)")]
    assert outbox.sent[-1].facts["Attempts"] == "11 of 11 failed in 1 min 40 s"


def test_saved_and_lost_calls_are_in_the_message(runtime: Runtime, outbox: Outbox) -> None:
    """Each call counts once for each target that failed it, in the first message, in reminders and at the end."""
    first = FailedOn(deployment_id="d1", provider="azure", region="eu")
    both = (first, FailedOn(deployment_id="d2", provider="azure", region="eu"))
    attempts = [attempt(n, deployment=name, region="eu") for n in range(5) for name in ("d1", "d2")]
    saved = [success(n, deployment="d9", failed_on=both, fallbacks=1) for n in range(3)]
    retried = success(4, deployment="d3", failed_on=(first,))
    gone = lost(5, deployment_id="d9", failed_on=both, team_id="billing")
    ingest_at(runtime, *attempts, *saved, retried, gone, lost(5, region="eu"))
    pass_time(runtime, 15)
    assert sent_of(outbox, AlertType.REGION_OUTAGE_ALERTS) == [(Step.FIRING, "Major Service Outage: region eu (azure)")]
    calls = [list(message.facts.items())[:2] for message in outbox.sent if "Calls saved" in message.facts]
    assert calls == [[("Calls lost", "2 (billing ×1, search ×1)"), ("Calls saved", "3 by fallback, 1 by retry")]]

    ingest_at(runtime, *(lost(n, region="eu") for n in (20, 21)), at=22)
    sweep(runtime, now=after(14_500))
    run_until_quiet(runtime, after(14_501))
    reminder = next(message for message in outbox.sent if message.step is Step.REMINDER)
    assert reminder.facts["Attempts"] == "10 of 10 failed in 4 s"
    assert reminder.facts["Calls lost"] == "4 (search ×3, billing ×1)"
    pass_time(runtime, 4 + 86_400 + 60)
    resolved = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert {message.facts["Calls lost"] for message in resolved} == {reminder.facts["Calls lost"]}


def test_an_outage_mutes_the_failed_calls_of_its_deployment(runtime: Runtime, outbox: Outbox) -> None:
    """This includes the failures in the batch that raises it."""
    ingest_at(runtime, *(attempt(n) for n in range(5)), lost(1))
    for at in (5, 20, 22):
        pass_time(runtime, at)

    assert [message.type for message in outbox.sent] == [AlertType.OUTAGE_ALERTS]


@pytest.mark.parametrize(
    ("size", "cut", "kept"),
    [(3, 40, 3), (15, 3, 15), (1_000, 40, 120), (1_000, 120, 120), (6, 1, 6), (1_000, 1, 116)],
)
def test_the_list_size_bounds_details_and_not_the_count(
    runtime: Runtime, store: SqlStore, size: int, cut: int, kept: int
) -> None:
    """The number is independent of the batches. Failures in batches before the opening one are only in the sums."""
    runtime = replace(
        runtime, policy=replace(runtime.policy, outages=replace(runtime.policy.outages, max_details=size))
    )
    failures = [attempt(n / 10) for n in range(120)]
    for start in range(0, 120, cut):
        ingest_at(runtime, *failures[start : start + cut], at=start / 10)

    assert [(row.count, row.level) for row in rows(store, ALERTS)] == [(120, 1)]
    assert len(rows(store, MEMBERS)) == kept


def test_calls_that_an_outage_of_the_same_batch_explains_are_muted(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Outages are judged before single calls, for every order of the events."""
    ingest_at(runtime, lost(1), *(attempt(n) for n in range(10)))
    for at in (10, 20, 22):
        pass_time(runtime, at)

    assert [message.type for message in outbox.sent] == [AlertType.OUTAGE_ALERTS]
    assert {row.type for row in rows(store, ALERTS)} == {"outage_alerts", "llm_exceptions"}


def fail_for_a_minute(runtime: Runtime, start: float) -> None:
    """Fail every call for a minute, recover, and pass three minutes."""
    ingest_at(runtime, *(attempt(start + n) for n in range(0, 60, 6)), saved(start + 54), at=start + 60)
    ingest_at(runtime, *(success(start + 62 + n) for n in range(0, 180, 10)), at=start + 62)
    for at in range(60, 240, 20):
        pass_time(runtime, start + at)


def test_the_third_outage_within_an_hour_flaps_until_the_target_is_well(runtime: Runtime, outbox: Outbox) -> None:
    """Further outages send nothing but a reminder, at growing intervals; 15 minutes without one end it."""
    for number in range(6):
        fail_for_a_minute(runtime, number * 300)
    steps = [step for step, _ in sent_of(outbox)]
    assert steps == [*[Step.FIRING, Step.RESOLVED] * 2, Step.FIRING, Step.REMINDER]
    third, reminder = (
        message
        for message in outbox.sent
        if message.step in (Step.FIRING, Step.REMINDER) and message.facts.get("Flapping")
    )
    assert third.headline == "Flapping: Major Service Outage: azure/gpt-4o (d1)"
    assert third.facts["Flapping"] == "3 outages in 11 min; down for 3 min in all"
    assert third.labels["flapping"] == "true"
    assert reminder.facts["Flapping"].startswith("6 outages in 26 min")

    for at in range(1_740, 2_500, 20):
        ingest_at(runtime, success(at), at=at)
        pass_time(runtime, at)
    assert sent_of(outbox)[6:] == [
        (Step.RESOLVED, "Resolved after 16 min: Flapping: Major Service Outage: azure/gpt-4o (d1)")
    ]
    fail_for_a_minute(runtime, 2_600)
    assert sent_of(outbox)[7][1].startswith("Flapping: ")


def silenced(runtime: Runtime, store: SqlStore, seconds: float) -> None:
    """Silence the deployment from the start on."""
    one = Silence("s1", (parse('deployment="d1"'),), START, after(seconds), "ops", "maintenance")
    AdminStore(store.engine).add_silence(one, now=START)


def test_an_outage_that_holds_when_its_silence_ends_is_notified_with_facts_of_now(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The facts from when it opened no longer matter."""
    silenced(runtime, store, 300)
    for at in range(0, 305, 5):
        ingest_at(runtime, attempt(at), at=at)
    pass_time(runtime, 304)

    (message,) = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert (message.step, message.headline) == (Step.FIRING, "Major Service Outage: azure/gpt-4o (d1)")
    assert message.facts["Attempts"] == "61 of 61 failed in 5 min"


def test_a_failure_after_the_silence_of_its_outage_is_one_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The batch may come before the sweep that notices the end of the silence. Its failed call is the outage's."""
    silenced(runtime, store, 100)
    for at in (*range(0, 100, 5), 101):
        ingest_at(runtime, attempt(at), lost(at), at=at)
    run_until_quiet(runtime, after(101))
    pass_time(runtime, 104)

    (message,) = outbox.sent
    assert (message.type, message.severity) == (AlertType.OUTAGE_ALERTS, Severity.HIGH)
    assert message.facts["Attempts"] == "21 of 21 failed in 1 min 41 s"


@pytest.mark.parametrize("recovered_at", [200, 275, 299])
def test_an_outage_that_recovers_before_its_silence_ends_sends_nothing(
    runtime: Runtime, outbox: Outbox, store: SqlStore, recovered_at: int
) -> None:
    """The end is not proven yet when the silence ends, but calls succeed."""
    silenced(runtime, store, 300)
    ingest_at(runtime, *(attempt(n) for n in range(0, recovered_at, 5)), at=recovered_at)
    for at in range(recovered_at, 600, 10):
        ingest_at(runtime, success(at), at=at)
        pass_time(runtime, at)

    assert sent_of(outbox) == []
    assert {row.open_fingerprint for row in rows(store, ALERTS) if row.type == AlertType.OUTAGE_ALERTS} == {None}


def test_a_sibling_that_recovers_with_its_region_sends_nothing(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """No call has shown yet that it recovered when the region's outage ends."""
    both = (attempt(n, deployment=name, region="eu") for n in range(0, 60, 5) for name in ("d1", "d2"))
    ingest_at(runtime, *both, at=60)
    for at in range(70, 200, 10):
        ingest_at(runtime, success(at, deployment="d2", region="eu", model_group="gpt-4o"), at=at)
        pass_time(runtime, at)
    assert [step for step, _ in sent_of(outbox, AlertType.REGION_OUTAGE_ALERTS)] == [Step.FIRING, Step.RESOLVED]

    ingest_at(runtime, success(200, region="eu", model_group="gpt-4o"), at=200)
    for at in range(210, 1_200, 60):
        pass_time(runtime, at)
    assert sent_of(outbox) == []
    assert {row.open_fingerprint for row in rows(store, ALERTS)} == {None}


def test_a_dead_sibling_stays_open_when_its_region_recovers(runtime: Runtime, store: SqlStore) -> None:
    """It has answered no call since, so a few more failures open no second outage."""
    ingest_at(
        runtime, *(attempt(n, deployment=name, region="eu") for n in range(0, 80, 10) for name in ("d1", "d2")), at=80
    )
    run_until_quiet(runtime, after(80))
    ingest_at(runtime, *(success(200 + n, deployment="d2", region="eu") for n in range(20)), at=220)
    for at in range(230, 300, 10):
        pass_time(runtime, at)

    found = {row.type: row.open_fingerprint for row in rows(store, ALERTS) if row.labels.get("deployment") != "d2"}
    assert found[AlertType.REGION_OUTAGE_ALERTS] is None
    assert found[AlertType.OUTAGE_ALERTS] is not None


def test_late_failures_of_a_target_that_has_recovered_open_nothing(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """A proxy was cut off. Its reports of a target that still fails are an outage."""
    models = {"d1": "gpt-4o", "d2": "o3"}
    good = (success(n, deployment=name, model_group=models[name]) for n in range(60, 400, 5) for name in models)
    ingest_at(runtime, *good, at=400)
    pass_time(runtime, 400)
    ingest_at(runtime, *(attempt(n) for n in range(0, 60, 5)), at=401)
    assert sent_of(outbox) == []
    assert [row.value for row in rows(store, COUNTERS) if row.label == "of an outage that is over"] == [12]

    failed = (attempt(n, deployment="d2").model_copy(update={"model_group": "o3"}) for n in range(300, 400))
    ingest_at(runtime, *failed, saved(400, "d2"), at=402)
    run_until_quiet(runtime, after(402))
    assert sent_of(outbox) == [(Step.FIRING, "Major Service Outage: azure/o3 (d2)")]


def test_an_outage_begins_with_its_first_failure_and_so_do_its_counts(runtime: Runtime, outbox: Outbox) -> None:
    """Calls that succeeded before, in the same bucket of ten seconds, are none of the outage's calls."""
    ingest_at(runtime, *(success(n / 10) for n in range(30)), *(attempt(4 + n / 2) for n in range(8)), saved(8))
    run_until_quiet(runtime, after(8))

    (message,) = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert message.since == after(4)
    assert message.facts["Attempts"] == "8 of 8 failed in 4 s"


def test_a_bucket_of_the_previous_version_fails_from_its_start_on(runtime: Runtime, store: SqlStore) -> None:
    """The first failure of a bucket that the previous version began stays unknown, also if this version adds to the
    bucket.
    """
    target = Target(deployment_id="d1")
    ingest_at(runtime, attempt(5))
    with store.engine.begin() as connection:
        connection.execute(CAUSES.update().values(first_failure=None))
    ingest_at(runtime, attempt(7), at=7)
    ingest_at(runtime, attempt(15), attempt(12), at=15)

    buckets = sorted(store.run(lambda tx: tx.outages.buckets(target, start=0)), key=lambda bucket: bucket.start)
    since = [datetime.fromtimestamp(bucket.failed_since / 1_000, UTC) for bucket in buckets]
    assert since == [START, after(12)]


def test_a_summary_and_the_page_show_the_facts_of_now(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Later failures raise no message. The alert still shows them, with all teams at its end."""
    ingest_at(runtime, *(attempt(n) for n in range(10)), *(lost(n, team_id=f"team-{n}") for n in range(10)))
    run_until_quiet(runtime, after(10))
    ingest_at(runtime, *(attempt(n) for n in range(20, 25)), at=25)
    (row,) = [row for row in rows(store, ALERTS) if row.type == AlertType.OUTAGE_ALERTS]
    admin = AdminStore(store.engine)
    found = admin.alerts.find(row.id)
    assert found is not None
    shown = admin.in_transaction(lambda tx: current_row(tx, found, zone=runtime.zone, now=after(26)))
    ingest_at(runtime, success(40), at=40)
    pass_time(runtime, 120)

    assert shown.facts["Attempts"] == "15 of 15 failed in 24 s"
    assert shown.facts["Calls lost"].endswith("team-4 ×1 and 5 more ×5)")
    resolved = outbox.sent[-1]
    assert resolved.step is Step.RESOLVED
    assert resolved.facts["Calls lost"].endswith("team-8 ×1, team-9 ×1)")
    assert resolved.facts["Causes"] == "503 ×15"
    closed = admin.alerts.find(row.id)
    assert closed is not None
    assert closed.facts == resolved.facts


def outage(store: SqlStore) -> AlertRow:
    """Return the row of the only outage."""
    (row,) = [row for row in rows(store, ALERTS) if row.type == AlertType.OUTAGE_ALERTS]
    found = AdminStore(store.engine).alerts.find(row.id)
    assert found is not None
    return found


def brownout(runtime: Runtime) -> None:
    """Fail 12 of 60 calls, which is a minor outage, because it is less than a quarter and a fallback answers."""
    ingest_at(runtime, *(attempt(n) for n in range(12)), *(success(n / 4) for n in range(48)), saved(12), at=12)
    run_until_quiet(runtime, after(12))


def lose_calls(runtime: Runtime) -> None:
    """Report the ends of five calls that the deployment had failed, and no failed attempt of it."""
    failed_on = (FailedOn(deployment_id="d1", provider="azure"),)
    ingest_at(runtime, *(lost(n, deployment_id="d9", failed_on=failed_on) for n in range(5)), at=20)
    run_until_quiet(runtime, after(20))


def test_a_rank_that_rises_at_one_severity_is_shown_and_sends_no_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The page and the last message have the rank of now, its threshold and its figures."""
    brownout(runtime)
    ingest_at(runtime, *(attempt(n) for n in range(14, 34)), at=34)
    run_until_quiet(runtime, after(34))
    row = outage(store)
    shown = AdminStore(store.engine).in_transaction(lambda tx: current_row(tx, row, zone=runtime.zone, now=after(34)))
    ingest_at(runtime, *(success(40 + n / 10) for n in range(60)), at=50)
    for second in (90, 100, 130):
        pass_time(runtime, second)

    assert (shown.headline, shown.severity) == ("Major Service Outage: azure/gpt-4o (d1)", "Medium")
    assert shown.facts["Threshold"] == "10 failed calls that are 10 % of the calls"
    assert sent_of(outbox) == [
        (Step.FIRING, "Minor Service Outage: azure/gpt-4o (d1)"),
        (Step.RESOLVED, "Resolved after 40 s: Major Service Outage: azure/gpt-4o (d1)"),
    ]
    assert outage(store).headline == "Major Service Outage: azure/gpt-4o (d1)"


def test_a_severity_that_rises_with_the_rank_is_one_message(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Calls that are lost later make the outage major and High. No attempt fails in that batch."""
    brownout(runtime)
    lose_calls(runtime)

    minor, major = (message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS)
    assert (minor.step, minor.severity, minor.headline) == (
        Step.FIRING,
        Severity.MEDIUM,
        "Minor Service Outage: azure/gpt-4o (d1)",
    )
    assert (major.step, major.severity, major.headline) == (
        Step.FIRING,
        Severity.HIGH,
        "Major Service Outage: azure/gpt-4o (d1)",
    )
    assert major.facts["Threshold"] == "10 failed calls that are 10 % of the calls"
    assert outage(store).headline == major.headline


@pytest.mark.parametrize("parts", [None, {"subject": "another", "is_major": False}], ids=["none", "out of date"])
def test_an_outage_of_the_previous_version_rises_by_its_labels(
    runtime: Runtime, outbox: Outbox, store: SqlStore, parts: dict[str, Any] | None
) -> None:
    """It stores no parts, or leaves those that are stored as they are. Its words are not read."""
    headline = "Minor Service Outage: the Minor model"
    brownout(runtime)
    with store.engine.begin() as connection:
        connection.execute(update(ALERTS).values(headline=headline, headline_parts=parts))
    ingest_at(runtime, attempt(15), at=15)
    kept = outage(store).headline
    lose_calls(runtime)

    assert kept == headline
    assert sent_of(outbox)[-1] == (Step.FIRING, "Major Service Outage: azure/gpt-4o (d1)")
    assert outage(store).headline_parts == {
        "subject": "azure/gpt-4o (d1)",
        "is_major": True,
        "is_flapping": False,
        "outcome": None,
    }
