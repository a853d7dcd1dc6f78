"""Outages of model groups on a real database: one message instead of one for each deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import update

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import AttemptFailed, Event, FailedOn, Failure, Origin, RequestFailed, RequestSucceeded
from alertworker.pipeline import Runtime, ingest
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.outages import MODEL_OUTAGES, WINDOWS
from tests.integration.harness import NOW, Outbox, batch, rows, run_until_quiet
from tests.integration.test_outages import after, at_once, ingest_at, pass_time

THREE = ("d1", "d2", "d3")


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with reminders every 4 hours."""
    return replace(runtime, router=replace(runtime.router, repeat_interval=14_400.0))


def place(deployment: str, model: str = "gpt-4o") -> dict[str, Any]:
    """Return where a deployment is: each in a region of its own."""
    return {"deployment_id": deployment, "model_group": model, "provider": "azure", "region": f"r-{deployment}"}


def failing(call: str, seconds: float, deployment: str, *, status: int = 503, **more: Any) -> AttemptFailed:
    """Return the first attempt of a call that failed on a deployment."""
    failure = Failure(error_class="ServiceUnavailableError", status_code=status, origin=Origin.PROVIDER, message="no")
    moment = {"started_at": after(seconds), "occurred_at": after(seconds)}
    known = place(deployment) | more
    return AttemptFailed(call_id=call, first_on_deployment=True, failure=failure, **moment, **known)


def lost(call: str, seconds: float, *deployments: str, **more: Any) -> RequestFailed:
    """Return a call that failed on some deployments, and for its user. Without any, all of them cool down."""
    failed_on = tuple(FailedOn(deployment_id=name, provider="azure", region=f"r-{name}") for name in deployments)
    cooling = Failure(error_class="RouterRateLimitError", status_code=429, origin=Origin.PROXY, message="none left")
    failure = failing(call, 0, "d1").failure if deployments else cooling
    known = place(deployments[-1]) if deployments else {"model_group": "gpt-4o"}
    moments = dict.fromkeys(("started_at", "occurred_at", "ended_at"), after(seconds))
    fields = {"call_id": call, "team_id": "search", "failed_on": failed_on, "failure": failure, **moments}
    return RequestFailed(**fields | known | more)


def answered(call: str, seconds: float, deployment: str = "d1", **more: Any) -> RequestSucceeded:
    moments = dict.fromkeys(("started_at", "occurred_at", "ended_at"), after(seconds))
    return RequestSucceeded(call_id=call, cost_nanos=0, **moments, **place(deployment) | more)


def call_that_fails(number: int, *, seconds: float | None = None, on: tuple[str, ...] = THREE) -> list[Event]:
    """Return the events of a call that every deployment failed."""
    moment = number if seconds is None else seconds
    attempts = [failing(f"c{number}", moment, name) for name in on]
    return [*attempts, lost(f"c{number}", moment, *on)]


def down(calls: int, *, start: float = 0, on: tuple[str, ...] = THREE) -> list[Event]:
    """Return the events of a model that is down, one call each second."""
    return [event for n in range(calls) for event in call_that_fails(n, seconds=start + n, on=on)]


def sent(outbox: Outbox) -> list[tuple[Step, str]]:
    return [(message.step, message.headline) for message in outbox.sent if message.type is not AlertType.LLM_EXCEPTIONS]


def saved() -> RequestSucceeded:
    """Return a call that a fallback answered after all deployments had failed it. So their outages do not wait."""
    failed_on = tuple(FailedOn(deployment_id=name, provider="azure", region="eu") for name in (*THREE, "e1"))
    fields = {"failed_on": failed_on, "fallbacks": 1, "original_model_group": "gpt-4o", "model_group": "claude"}
    return answered("saved", 5, "other", **fields)


def silence(store: SqlStore, *matchers: str, seconds: float = 3_600) -> None:
    parsed = tuple(parse(text) for text in matchers)
    AdminStore(store.engine).add_silence(
        Silence("s1", parsed, NOW - timedelta(hours=1), NOW + timedelta(seconds=seconds), "ops", "r"), now=NOW
    )


def test_a_model_that_is_down_is_one_message_until_it_answers(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The outages and failures of its deployments are recorded, and no channel is notified of them."""
    ingest_at(runtime, *down(6))
    run_until_quiet(runtime, after(6))
    for second in (20, 40):
        ingest_at(runtime, *down(4, start=second), at=second)
        pass_time(runtime, second + 5)
    (message,) = outbox.sent
    assert message.headline == "Major Service Outage: model gpt-4o is down for users (6 calls lost)"
    assert (message.severity, message.labels["scope"], message.labels["model"]) == (Severity.HIGH, "model", "gpt-4o")
    assert message.facts["Calls lost"] == "6 (search ×6)"
    assert message.facts["Deployments"] == ", ".join(
        f"azure/gpt-4o in r-{name} ({name}): 6 of 6 failed" for name in THREE
    )

    ingest_at(runtime, *(answered(f"g{n}", 60 + n, f"d{n % 2 + 1}") for n in range(20)), at=80)
    for second in (100, 140, 150):
        pass_time(runtime, second)
    assert sent(outbox)[1:] == [
        (
            Step.RESOLVED,
            "Resolved after 1 min: Major Service Outage: model gpt-4o is down for users (14 calls lost)",
        )
    ]
    assert {row.open_fingerprint for row in rows(store, ALERTS) if row.type == "outage_alerts"} == {None}
    assert {row.labels.get("deployment") for row in rows(store, ALERTS) if row.labels.get("scope") is None} == set(
        THREE
    )


def test_it_names_its_deployments_by_provider_and_region(runtime: Runtime, outbox: Outbox) -> None:
    """All of them serve the same model, so its name alone would not distinguish them. The end has the same names."""
    two = ("0c5b1f0a-7f0e-4f7b-9a55-0d6b7a1c2e3f", "4e8f6a11-1b2c-4d5e-8f90-a1b2c3d4e5f6")
    ingest_at(runtime, *down(6, on=two))
    run_until_quiet(runtime, after(6))
    ingest_at(runtime, *(answered(f"g{n}", 60 + n, two[n % 2]) for n in range(20)), at=80)
    for second in (100, 140, 150):
        pass_time(runtime, second)
    titles = [f"azure/gpt-4o in r-{name} ({name[:8]}…)" for name in two]
    shown = ", ".join(f"{title}: 6 of 6 failed" for title in titles)
    assert [(message.step, message.facts["Deployments"]) for message in outbox.sent] == [
        (Step.FIRING, shown),
        (Step.RESOLVED, shown),
    ]


def test_a_fallback_that_answers_is_counted_and_no_user_is_hurt(runtime: Runtime, outbox: Outbox) -> None:
    """A fallback saves every call. The severity is Medium."""
    events: list[Event] = []
    for n in range(6):
        failed_on = tuple(FailedOn(deployment_id=name) for name in THREE)
        events += [failing(f"c{n}", n, name) for name in THREE]
        saved = {"failed_on": failed_on, "fallbacks": 1, "original_model_group": "gpt-4o", "model_group": "claude"}
        events.append(answered(f"c{n}", n, "other", **saved))
    ingest_at(runtime, *events)
    run_until_quiet(runtime, after(6))

    assert sent(outbox) == [
        (Step.FIRING, "Major Service Outage: model gpt-4o is down (0 calls lost, 6 saved by fallback)")
    ]
    assert outbox.sent[0].severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "events",
    [
        [event for n in range(8) for event in (failing(f"c{n}", n, "d1"), answered(f"c{n}", n, "d2"))],
        down(8, on=("d1",)),
        [*down(3), *(answered(f"g{n}", n, "d3") for n in range(3))],
    ],
    ids=["another deployment answers", "its only deployment", "three calls"],
)
def test_failures_that_are_not_an_outage_of_a_model(runtime: Runtime, store: SqlStore, events: list[Event]) -> None:
    """A call that fails on three deployments is one call. The outage of the only deployment says all."""
    ingest_at(runtime, *events)

    assert [row.labels for row in rows(store, ALERTS) if row.labels.get("scope")] == []


def test_calls_that_find_no_deployment_are_lost(runtime: Runtime, outbox: Outbox) -> None:
    """All deployments cool down after few attempts each. Then no attempt fails."""
    few = [failing(f"c{n}", n, name) for n in range(2) for name in ("d1", "d2")]
    ingest_at(runtime, *few, *(lost(f"n{n}", 2 + n) for n in range(6)))
    run_until_quiet(runtime, after(8))

    (message,) = (one for one in outbox.sent if one.type is AlertType.OUTAGE_ALERTS)
    assert message.headline == "Minor Service Outage: model gpt-4o is down for users (6 calls lost)"
    assert message.severity is Severity.HIGH


def test_a_model_that_gets_few_calls_is_dead(runtime: Runtime, outbox: Outbox) -> None:
    """Five calls in an hour fail on both of its deployments."""
    for n in range(5):
        ingest_at(runtime, *call_that_fails(n, seconds=n * 700, on=("d1", "d2")), at=n * 700)
        pass_time(runtime, n * 700 + 5)

    assert sent(outbox) == [(Step.FIRING, "Major Service Outage: model gpt-4o is down for users (5 calls lost)")]


def test_litellms_counts_alone_know_no_models(runtime: Runtime, store: SqlStore) -> None:
    """Without a minimum share, the outages are LiteLLM's."""
    outages = runtime.policy.outages
    plain = replace(outages, deployment=replace(outages.deployment, share=0), region=replace(outages.region, share=0))
    ingest_at(replace(runtime, policy=replace(runtime.policy, outages=plain)), *down(10))

    found = [row.labels for row in rows(store, ALERTS) if row.type == AlertType.OUTAGE_ALERTS]
    assert sorted(labels["deployment"] for labels in found) == list(THREE)


def test_any_order_cutting_and_redelivery_decides_the_same(runtime: Runtime, store: SqlStore) -> None:
    """Eight workers apply each batch twice."""
    events = [*down(12), *(answered(f"g{n}", n, "d9", model_group="o3") for n in range(20))]
    Random(7).shuffle(events)
    batches = [batch(*events[start : start + 7]) for start in range(0, len(events), 7)] * 2
    at_once([lambda one=one: ingest(one, runtime, now=NOW) for one in batches])  # type: ignore[misc]

    (model,) = (row for row in rows(store, ALERTS) if row.labels.get("scope") == "model")
    assert (model.severity, model.level, model.first_at) == ("High", 2, after(0))
    assert model.headline == "Major Service Outage: model gpt-4o is down for users (12 calls lost)"
    (model,) = (row for row in rows(store, MODEL_OUTAGES) if row.model == "gpt-4o")
    assert model.state > 0


def test_a_region_explains_a_model_that_is_only_there(runtime: Runtime, outbox: Outbox) -> None:
    """The message is about the region. Deployments of two models fail there."""
    eu: dict[str, Any] = {"region": "eu"}
    events: list[Event] = [failing(f"c{n}", n, name, **eu) for n in range(6) for name in ("d1", "d2")]
    events += [failing(f"e{n}", n, "e1", model_group="embedding", **eu) for n in range(6)]
    ingest_at(runtime, *events, saved())
    run_until_quiet(runtime, after(6))

    assert sent(outbox) == [(Step.FIRING, "Major Service Outage: region eu (azure)")]


def test_a_model_that_fails_in_a_second_region_is_notified(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The first region explains it only until then."""
    eu: dict[str, Any] = {"region": "eu"}
    events: list[Event] = [failing(f"c{n}", n, name, **eu) for n in range(6) for name in ("d1", "d2")]
    events += [failing(f"e{n}", n, "e1", model_group="embedding", **eu) for n in range(6)]
    ingest_at(runtime, *events, saved())
    run_until_quiet(runtime, after(6))
    more = [failing(f"m{n}", 20 + n, name, **eu) for n in range(8) for name in ("d1", "d2", "e1")]
    more += [failing(f"u{n}", 20 + n, "d3", provider="openai", region="us") for n in range(8)]
    ingest_at(runtime, *more, at=30)
    for second in (40, 60, 80):
        pass_time(runtime, second)

    (model,) = (row for row in rows(store, ALERTS) if row.labels.get("scope") == "model")
    assert not model.labels.keys() & {"provider", "region"}
    assert (Step.FIRING, model.headline) in sent(outbox)


def test_a_model_that_fails_everywhere_is_not_an_outage_of_a_region(runtime: Runtime, outbox: Outbox) -> None:
    """Two of its deployments are in one region, where another model answers."""
    eu: dict[str, Any] = {"region": "eu"}
    events: list[Event] = [answered(f"g{n}", n, "e1", model_group="embedding", **eu) for n in range(6)]
    for n in range(6):
        events += [failing(f"c{n}", n, "d1", **eu), failing(f"c{n}", n, "d2", **eu), failing(f"c{n}", n, "d3")]
    ingest_at(runtime, *events, saved())
    run_until_quiet(runtime, after(6))

    assert [headline for _, headline in sent(outbox)] == [
        "Major Service Outage: model gpt-4o is down (0 calls lost, 1 saved by fallback)"
    ]


def headlines(messages: list[Message]) -> list[str]:
    return [message.headline for message in messages if message.type is not AlertType.LLM_EXCEPTIONS]


@pytest.mark.parametrize("matchers", [('deployment="d1"',), ('deployment="d1"', 'alert_type="outage_alerts"')])
def test_a_silenced_deployment_is_not_announced_as_a_region_or_a_model(
    runtime: Runtime, outbox: Outbox, store: SqlStore, matchers: tuple[str, ...]
) -> None:
    """It is down. Its siblings fail two calls each, which chance explains, and answer the others."""
    silence(store, *matchers)
    eu: dict[str, Any] = {"region": "eu"}
    events: list[Event] = [failing(f"c{n}", n, "d1", **eu) for n in range(12)]
    events += [failing(f"s{n}", n * 5, "d2", **eu) for n in range(2)]
    events += [lost(f"c{n}", n, "d1", region="eu") for n in range(12)]
    ingest_at(runtime, *events)
    pass_time(runtime, 30)

    assert headlines(outbox.sent) == []


@pytest.mark.parametrize("matcher", ['region="eu"', 'provider="azure"'])
def test_a_silenced_place_is_not_announced_as_a_model(
    runtime: Runtime, outbox: Outbox, store: SqlStore, matcher: str
) -> None:
    """Only a deployment in a silenced region, or of a silenced provider, is down."""
    silence(store, matcher)
    events = [failing(f"c{n}", n, "d1", region="eu") for n in range(12)]
    events += [failing(f"s{n}", n * 5, "d2", provider="openai", region="us") for n in range(2)]
    ingest_at(runtime, *events)
    pass_time(runtime, 30)

    assert headlines(outbox.sent) == []


def test_a_region_counts_no_silenced_deployments(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    silence(store, 'deployment="d3"')
    eu: dict[str, Any] = {"region": "eu"}
    ingest_at(runtime, *(failing(f"{name}{n}", n, name, model_group=name, **eu) for n in range(6) for name in THREE))
    pass_time(runtime, 15)

    (message,) = (one for one in outbox.sent if one.type is AlertType.REGION_OUTAGE_ALERTS)
    assert message.facts["Attempts"].startswith("12 of 12 failed")


def test_a_failure_during_a_silence_does_not_count_after_it(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The maintenance of one deployment ends in time. Then a sibling in its region fails a few calls."""
    silence(store, 'deployment="d1"', seconds=60)
    eu: dict[str, Any] = {"region": "eu"}
    ingest_at(runtime, *(failing(f"c{n}", n, "d1", **eu) for n in range(12)))
    ingest_at(runtime, *(answered(f"g{n}", 30 + n, "d1", **eu) for n in range(20)), at=50)
    pass_time(runtime, 55)
    events = [failing(f"s{n}", 100 + n, "d2", **eu, model_group="o3") for n in range(3)]
    ingest_at(runtime, *events, at=105)
    pass_time(runtime, 106)

    assert headlines(outbox.sent) == []


def test_a_silence_of_a_whole_type_silences_only_that_type(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A person who silences one type still gets the others."""
    silence(store, 'alert_type="outage_alerts"')
    eu: dict[str, Any] = {"region": "eu"}
    ingest_at(runtime, *(failing(f"{name}{n}", n, name, **eu) for n in range(6) for name in ("d1", "e1")))
    pass_time(runtime, 15)

    assert headlines(outbox.sent) == ["Major Service Outage: region eu (azure)"]


def test_a_reminder_has_the_totals(runtime: Runtime, outbox: Outbox) -> None:
    ingest_at(runtime, *down(6))
    ingest_at(runtime, *down(6, start=14_000), at=14_000)
    pass_time(runtime, 14_400)

    assert headlines(outbox.sent) == [
        "Major Service Outage: model gpt-4o is down for users (6 calls lost)",
        "Still: Major Service Outage: model gpt-4o is down for users (12 calls lost)",
    ]


def test_windows_of_the_previous_version_get_their_model(runtime: Runtime, store: SqlStore) -> None:
    """Its workers write no model. They may still run beside ours."""
    second = int(after(0).timestamp())
    with store.engine.begin() as connection:
        names = (
            "deployment_id, provider, region, bucket, succeeded, failed, milliseconds, completion_tokens, last_success"
        )
        values = f"'d1', 'azure', 'r-d1', {second}, 3, 0, 0, 0, 1"
        connection.exec_driver_sql(f"INSERT INTO deployment_windows ({names}) VALUES ({values})")
    ingest_at(runtime, answered("g", 1, "d1"))

    (row,) = rows(store, WINDOWS)
    assert (row.model, row.succeeded) == ("gpt-4o", 4)


def test_a_model_without_any_success_stays_open(runtime: Runtime, outbox: Outbox) -> None:
    """Calls fail at once, then one each 20 minutes."""
    ingest_at(runtime, *down(6), at=6)
    for second in range(60, 4_000, 60):
        if second % 1_200 == 0:
            ingest_at(runtime, *call_that_fails(second), at=second)
        pass_time(runtime, second + 10)

    assert [step for step, _ in sent(outbox) if step is not Step.REMINDER] == [Step.FIRING]


def one_after_the_other() -> list[Event]:
    """Return six failed calls of one deployment, and one of another deployment of the same model."""
    return [*(failing(f"c{n}", n, "d1") for n in range(6)), failing("x1", 5, "d2")]


def test_an_outage_waits_a_moment_while_most_deployments_of_its_model_fail(runtime: Runtime, outbox: Outbox) -> None:
    """The outage of the model follows, and says it all. So the first deployment's outage is never sent."""
    ingest_at(runtime, *one_after_the_other(), at=6)
    pass_time(runtime, 20)
    assert sent(outbox) == []

    ingest_at(runtime, *(failing(f"y{n}", 20 + n, "d2") for n in range(3)), at=24)
    for second in (25, 36, 60):
        pass_time(runtime, second)
    assert [(message.step, message.labels.get("scope")) for message in outbox.sent] == [(Step.FIRING, "model")]


def test_an_outage_is_sent_if_no_outage_of_its_model_follows(runtime: Runtime, outbox: Outbox) -> None:
    """It is sent 30 s after the call that proved it."""
    ingest_at(runtime, *one_after_the_other(), at=6)
    pass_time(runtime, 34)
    assert sent(outbox) == []
    pass_time(runtime, 36)
    assert [(message.step, message.labels["deployment"]) for message in outbox.sent] == [(Step.FIRING, "d1")]


def test_an_outage_is_sent_once_the_other_deployments_answer(runtime: Runtime, outbox: Outbox) -> None:
    ingest_at(runtime, *one_after_the_other(), at=6)
    ingest_at(runtime, *(answered(f"g{n}", 7, "d2") for n in range(20)), at=8)
    pass_time(runtime, 10)
    assert [(message.step, message.labels["deployment"]) for message in outbox.sent] == [(Step.FIRING, "d1")]


def test_an_outage_that_is_reported_late_does_not_wait(runtime: Runtime, outbox: Outbox) -> None:
    """All events of that time are known."""
    ingest_at(runtime, *one_after_the_other(), at=60)
    run_until_quiet(runtime, after(60))
    assert [(message.step, message.labels["deployment"]) for message in outbox.sent] == [(Step.FIRING, "d1")]


def test_a_model_that_is_down_when_its_silence_ends_is_one_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Failures in the silence do not count for the model. So its deployments' outages wait for that of the model."""
    silence(store, 'model="gpt-4o"', seconds=59)
    for second in range(0, 90, 2):
        ingest_at(runtime, *call_that_fails(second), at=second)
        pass_time(runtime, second + 1)

    outages = [message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS]
    assert [(message.step, message.labels.get("scope")) for message in outages] == [(Step.FIRING, "model")]


@pytest.mark.parametrize(
    "parts", [None, {"subject": "x", "is_major": True, "outcome": {"state": "of a newer version"}}]
)
def test_a_models_outage_without_known_parts_keeps_its_headline(
    runtime: Runtime, outbox: Outbox, store: SqlStore, parts: dict[str, Any] | None
) -> None:
    """The previous version stores none. Its facts are current, and the next verdict makes a new headline."""
    ingest_at(runtime, *down(6))
    run_until_quiet(runtime, after(6))
    with store.engine.begin() as connection:
        connection.execute(update(ALERTS).values(headline="model gpt-4o is down (1 call lost)", headline_parts=parts))
    ingest_at(runtime, *down(6, start=14_000), at=14_000)
    ingest_at(runtime, *(answered(f"g{n}", 14_010 + n, f"d{n % 2 + 1}") for n in range(40)), at=14_060)
    pass_time(runtime, 14_200)

    last = outbox.sent[-1]
    assert (last.step, last.facts["Calls lost"]) == (Step.RESOLVED, "12 (search ×12)")
    assert last.headline.endswith("Major Service Outage: model gpt-4o is down for users (12 calls lost)")


def test_a_closed_outage_of_a_model_has_the_numbers_of_its_last_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The ends of calls that a fallback saved come after the last failure."""
    ingest_at(runtime, *(failing(f"c{n}", n, name) for n in range(6) for name in THREE))
    pass_time(runtime, 15)
    failed_on = tuple(FailedOn(deployment_id=name) for name in THREE)
    saved = {"failed_on": failed_on, "fallbacks": 1, "original_model_group": "gpt-4o", "model_group": "claude"}
    ingest_at(runtime, *(answered(f"c{n}", n, "other", **saved) for n in range(6)), at=16)
    ingest_at(runtime, *(answered(f"g{n}", 60 + n, f"d{n % 2 + 1}") for n in range(20)), at=80)
    for second in (100, 140, 150):
        pass_time(runtime, second)

    headline = "Major Service Outage: model gpt-4o is down (0 calls lost, 6 saved by fallback)"
    assert sent(outbox)[-1] == (Step.RESOLVED, f"Resolved after 1 min: {headline}")
    assert [row.headline for row in rows(store, ALERTS) if row.labels.get("scope") == "model"] == [headline]
