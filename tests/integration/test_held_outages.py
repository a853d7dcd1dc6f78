"""Outages whose first message waits for a moment, and what they explain, on a real database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import Event, FailedOn
from alertworker.pipeline import Runtime, ingest
from alertworker.routing.matchers import parse
from alertworker.routing.router import Route
from tests.integration.harness import Outbox, batch, run_until_quiet
from tests.integration.test_model_outages import answered, failing, one_after_the_other
from tests.integration.test_model_outages import lost as lost_call
from tests.integration.test_outages import after, ingest_at, pass_time


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with reminders every 4 hours."""
    return replace(runtime, router=replace(runtime.router, repeat_interval=14_400.0))


Sent = list[tuple[AlertType, Severity, Step]]


def shown(messages: Sequence[Message]) -> Sent:
    return [(message.type, message.severity, message.step) for message in messages]


def lost_calls(count: int, *, start: float = 0, every: float = 1, ends: float = 2) -> list[tuple[float, Event]]:
    """Return failed attempts of calls on the only deployment of a model, and their ends some seconds later."""
    attempts = [start + n * every for n in range(count)]
    timed: list[tuple[float, Event]] = [(at, failing(f"c{at}", at, "d1")) for at in attempts]
    timed += [(at + ends, lost_call(f"c{at}", at + ends, "d1")) for at in attempts]
    return sorted(timed, key=lambda one: one[0])


def saved_call(call: str, at: float) -> Event:
    """Return a call that another deployment answered after the first one had failed it."""
    return answered(call, at, "d9", failed_on=(FailedOn(deployment_id="d1", provider="azure", region="r-d1"),))


def only_outages(outbox: Outbox) -> Sent:
    return shown([message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS])


@pytest.mark.parametrize("ends", [2, 6])
@pytest.mark.parametrize("seed", range(4))
def test_a_deployment_that_loses_every_call_is_one_message(
    runtime: Runtime, outbox: Outbox, seed: int, ends: float
) -> None:
    """At its fifth failed attempt few calls are lost, or none has ended.

    However batches are cut, and if they come twice, it is High.
    """
    rng, timed = Random(seed), lost_calls(12, ends=ends)
    while timed:
        size = rng.randint(1, 6)
        cut, timed = timed[:size], timed[size:]
        now = cut[-1][0]
        one = batch(*[event for _, event in cut])
        ingest(one, runtime, now=after(now))
        if rng.random() < 0.3:
            ingest(one, runtime, now=after(now))
        pass_time(runtime, now)
    pass_time(runtime, 60)
    assert only_outages(outbox) == [(AlertType.OUTAGE_ALERTS, Severity.HIGH, Step.FIRING)]


def test_an_outage_that_stays_at_medium_waits_for_ten_seconds(runtime: Runtime, outbox: Outbox) -> None:
    """The ends of its other calls may come much later. It is sent although its latest call succeeded."""
    ingest_at(runtime, *[failing(f"c{n}", n, "d1") for n in range(5)], lost_call("c0", 4, "d1"), at=4)
    ingest_at(runtime, answered("g", 12), at=12)
    pass_time(runtime, 13)
    assert outbox.sent == []
    pass_time(runtime, 15)
    assert only_outages(outbox) == [(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, Step.FIRING)]


def test_an_outage_waits_until_one_of_its_calls_has_ended(runtime: Runtime, outbox: Outbox) -> None:
    """A call that is saved shows that users are not hurt. Then every second counts."""
    ingest_at(runtime, *[failing(f"c{n}", n, "d1") for n in range(5)], at=4)
    pass_time(runtime, 5)
    assert outbox.sent == []
    ingest_at(runtime, saved_call("c1", 6), at=6)
    pass_time(runtime, 8)
    assert only_outages(outbox) == [(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, Step.FIRING)]


def test_an_outage_that_loses_some_calls_and_saves_others_is_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """One of two calls is lost, so the fifth lost call comes soon."""
    for n in range(14):
        end = lost_call(f"c{n}", n, "d1") if n % 2 else saved_call(f"c{n}", n)
        ingest_at(runtime, failing(f"c{n}", n, "d1"), end, at=n)
        pass_time(runtime, n)
    assert only_outages(outbox) == [(AlertType.OUTAGE_ALERTS, Severity.HIGH, Step.FIRING)]


def test_a_lost_call_waits_for_the_outage_of_its_deployment(runtime: Runtime, outbox: Outbox) -> None:
    """The outage waits for that of its model. If none follows, it is sent, and the call is not."""
    ingest_at(runtime, *one_after_the_other(), at=6)
    ingest_at(runtime, lost_call("c5", 7, "d1"), at=7)
    for at in (8, 20, 34):
        pass_time(runtime, at)
    assert outbox.sent == []
    for at in (36, 40, 400):
        pass_time(runtime, at)
    assert shown(outbox.sent)[:1] == [(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, Step.FIRING)]
    assert {message.type for message in outbox.sent} == {AlertType.OUTAGE_ALERTS}


def test_a_lost_call_is_sent_if_the_outage_is_not(runtime: Runtime, outbox: Outbox) -> None:
    """The deployment recovers while its outage waits. The call was lost nevertheless."""
    ingest_at(runtime, *one_after_the_other(), at=6)
    ingest_at(runtime, lost_call("c5", 7, "d1"), at=7)
    ingest_at(runtime, *[answered(f"g{n}", 12 + n, "d1") for n in range(20)], at=32)
    for at in (33, 36, 40):
        pass_time(runtime, at)
    assert outbox.sent == []
    for at in (47, 49, 60):
        pass_time(runtime, at)
    assert shown(outbox.sent) == [(AlertType.LLM_EXCEPTIONS, Severity.LOW, Step.NOTICE)]


def test_a_summary_waits_for_an_outage_that_waits(runtime: Runtime, outbox: Outbox) -> None:
    """It is about the same calls."""
    ingest_at(runtime, lost_call("a0", -280, "d1"), at=-280)
    run_until_quiet(runtime, after(-280))
    ingest_at(runtime, *one_after_the_other(), *[lost_call(f"c{n}", 6, "d1", team_id="x") for n in range(6)], at=10)
    outbox.sent.clear()
    for at in (15, 21, 25, 34):
        pass_time(runtime, at)
    assert outbox.sent == []
    for at in (37, 45):
        pass_time(runtime, at)
    assert {message.type for message in outbox.sent} == {AlertType.OUTAGE_ALERTS}


def test_a_lost_call_does_not_wait_on_other_channels(runtime: Runtime, outbox: Outbox) -> None:
    """The outage will never be sent there, so it explains nothing there."""
    route = Route(matchers=(parse("alert_type=outage_alerts"),), receiver="nobody")
    router = replace(runtime.router, root=replace(runtime.router.root, routes=(route,)))
    separate = replace(runtime, router=replace(router, receivers={**router.receivers, "nobody": ()}))
    ingest_at(separate, *one_after_the_other(), at=6)
    ingest_at(separate, lost_call("c5", 7, "d1"), at=7)
    run_until_quiet(separate, after(7))
    assert shown(outbox.sent) == [(AlertType.LLM_EXCEPTIONS, Severity.LOW, Step.NOTICE)]


def test_most_deployments_of_a_model_are_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """70 % of the calls fail on three of four deployments. The message names them, and they send none."""
    names = ("d1", "d2", "d3")
    for second in range(0, 120, 2):
        events: list[Event] = [answered(f"h{second}", second, "d4"), answered(f"i{second}", second, "d4")]
        for number, name in enumerate(names):
            fails = (second // 2 + number) % 10 < 7
            events.append((failing if fails else answered)(f"{name}{second}", second, name))
        ingest_at(runtime, *events, at=second)
        pass_time(runtime, second + 1)
    (message,) = outbox.sent
    assert (message.labels.get("scope"), message.severity) == ("model", Severity.MEDIUM)
    assert "model gpt-4o fails on 3 of 4 deployments" in message.headline
    assert all(f"({name})" in message.facts["Deployments"] for name in names)
    assert "(d4)" not in message.facts["Deployments"]

    for second in range(120, 300, 10):
        ingest_at(runtime, *[answered(f"{name}{second}", second, name) for name in (*names, "d4")], at=second)
        pass_time(runtime, second + 1)
    assert [one.step for one in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    assert outbox.sent[-1].headline.startswith("Resolved after 2 min: ")
