"""The simulator: its short form gives the committed scores, its world behaves as described, and its scores can fail.

`pytest --golden-update` writes the scores anew; a change of them is a change of what people are sent.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import EVENTS, AttemptFailed, RequestFailed, RequestSucceeded
from bench.simulate.calls import Behaviour, Calls, Truth
from bench.simulate.faults import MINUTE, NO_DEPLOYMENTS, RATE_LIMIT, UNAUTHORIZED, UNAVAILABLE, Fault, Load
from bench.simulate.healthy import JUDGES, Attempts, false_outages, outages_of
from bench.simulate.labels import HIGH, ONE, outage
from bench.simulate.pipeline import Sent
from bench.simulate.proxies import Proxies
from bench.simulate.result import Score
from bench.simulate.router import Router
from bench.simulate.scenario import Scenario, Traffic
from bench.simulate.scenarios import SCENARIOS, traffics
from bench.simulate.score import score
from bench.simulate.simulation import Run, simulate
from bench.simulate.table import BEGIN, END, markdown, read, replaced
from bench.simulate.wire import EARLIER, Wire, WireFields, batch_of
from bench.simulate.world import KEYS, TEAMS, caller, make_world

SCORES: Final = Path(__file__).parents[1] / "fixtures" / "simulation.json"
#: The short form: one seed, and a warm-up of 5 minutes instead of 15.
SHORT: Final = (
    ("full-outage", Traffic.HIGH),
    ("outage-and-stray", Traffic.LOW),
    ("region", Traffic.LOW),
    ("bad-requests", Traffic.LOW),
    ("rate-limited-briefly", Traffic.HIGH),
    ("silence-around", Traffic.HIGH),
    ("rolling-deploy", Traffic.LOW),
)


@pytest.mark.parametrize(("name", "traffic"), SHORT)
def test_the_scores_are_those_that_are_committed(name: str, traffic: Traffic, request: pytest.FixtureRequest) -> None:
    """A failed label is in the committed scores, too. No failure is left out."""
    scenario = replace(SCENARIOS[name](traffic), warm_up=5 * MINUTE)
    scores = score(scenario, traffic, 1, simulate(scenario, traffic, 1))
    found = [{key: value for key, value in one.row().items() if key not in {"took", "log"}} for one in scores]
    known = json.loads(SCORES.read_text()) if SCORES.exists() else {}
    if request.config.getoption("--golden-update"):
        SCORES.write_text(json.dumps(known | {f"{name} {traffic}": found}, indent=1, sort_keys=True) + "\n")
        return

    assert found == known[f"{name} {traffic}"]


def test_every_scenario_can_be_made_at_its_traffic() -> None:
    """A label names only deployments that there are."""
    deployments = make_world().deployments
    made = [SCENARIOS[name](traffic) for name in SCENARIOS for traffic in traffics(name)]

    assert {one.name for one in made} == set(SCENARIOS)
    for scenario in made:
        for incident in scenario.incidents:
            assert incident.affected.deployments <= deployments.keys()
            assert incident.end <= scenario.lasts


def test_the_world_has_its_documented_size() -> None:
    """30 deployments of 5 providers in 8 regions, 40 teams, 300 keys."""
    world = make_world()
    regions = {(one.provider, one.region) for one in world.deployments.values() if one.region}

    assert len(world.deployments) == 30
    assert len({one.provider for one in world.deployments.values()}) == 5
    assert len(regions) == 8
    assert (len(world.callers), len({one.team_id for one in world.callers})) == (KEYS, TEAMS)
    assert sum(group.share for group in world.groups.values()) == pytest.approx(1)


def events_of(
    *happenings: object, behaviour: Behaviour | None = None, fields: WireFields | None = None
) -> tuple[list[Any], list[str], Truth]:
    """Return two minutes of events, as models and as JSON, and what had happened."""
    start = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    wire, world, rng = Wire(fields or WireFields()), make_world(), Random(7)
    proxies = Proxies(happenings, wire, start=start, zero=start)
    calls = Calls(world, happenings, proxies, wire, behaviour or Behaviour(), rng, zero=start)
    sent = []
    for second in range(0, 120, 10):
        calls.advance(start + second, start + second + 10, 20.0)
        sent += [event for _, events in proxies.advance(start + second, start + second + 10) for event in events]
    return EVENTS.validate_json(batch_of(sent)), sent, calls.truth


def test_one_seed_publishes_the_same_events() -> None:
    """A score can be looked into again."""
    fault = Fault(0, 120, UNAVAILABLE, frozenset({ONE}))

    assert events_of(fault)[1] == events_of(fault)[1]


def test_a_call_that_a_deployment_failed_is_saved_and_names_the_deployment() -> None:
    """The ends name who failed the call, and only a call's first failure on a deployment is its first."""
    events, sent, truth = events_of(Fault(0, 120, UNAVAILABLE, frozenset({ONE})))
    failed = [event for event in events if isinstance(event, AttemptFailed) and event.deployment_id == ONE]
    saved = [event for event in events if isinstance(event, RequestSucceeded) and event.failed_on]
    firsts = sum(f'"deployment_id":"{ONE}"' in text and '"first_on_deployment":true' in text for text in sent)

    assert failed
    assert any(one.deployment_id == ONE for event in saved for one in event.failed_on)
    assert firsts == len({event.call_id for event in failed})
    assert len(truth.failures[ONE]) >= firsts


def test_without_retries_and_fallbacks_a_failed_attempt_is_a_lost_call() -> None:
    """The truth counts it as lost, and so does the event."""
    fault = Fault(0, 120, UNAVAILABLE, frozenset({ONE}))
    events, _, truth = events_of(fault, behaviour=Behaviour(retries=0, fallbacks={}))
    lost = [event for event in events if isinstance(event, RequestFailed) and event.deployment_id == ONE]

    assert len([one for one in truth.lost if one[1] == "gpt-4o"]) >= len(lost) > 0


def test_an_earlier_callback_sets_no_new_fields() -> None:
    """Then the worker must judge as before."""
    fault = Fault(0, 120, UNAVAILABLE, frozenset({ONE}))
    _, sent, _ = events_of(fault, fields=EARLIER)

    assert not [text for text in sent if "first_on_deployment" in text or "credential" in text]


def test_the_router_cools_down_as_litellms_does() -> None:
    """429 at once if there are others, 401 always, other errors after five requests if most failed."""
    world = make_world()
    one, only = world.deployments[ONE], world.deployments["o3-openai"]

    assert Router(world).failed(one, RATE_LIMIT, 0.0) == 5.0
    assert Router(world).failed(only, RATE_LIMIT, 0.0) == 0.0
    assert Router(world).failed(only, UNAUTHORIZED, 0.0) == 5.0
    router, rng = Router(world), Random(1)
    chosen = [router.choose("gpt-4o", 0.0, rng) for _ in range(60)]
    needed = chosen.count(one) // 2 + 1
    assert [router.failed(one, UNAVAILABLE, 0.0) for _ in range(needed)] == [0.0] * (needed - 1) + [5.0]
    assert one not in [router.choose("gpt-4o", 1.0, rng) for _ in range(60)]
    assert NO_DEPLOYMENTS.status == 429


def message(at: float, step: Step = Step.FIRING, **fields: Any) -> Sent:
    """Return a message that was sent so many seconds after the warm-up."""
    moment = datetime.fromtimestamp(at, UTC) if at > 0 else datetime(2026, 11, 23, tzinfo=UTC)
    own = {
        "alert_id": "a", "type": AlertType.OUTAGE_ALERTS, "severity": Severity.MEDIUM, "headline": "down",
        "fingerprint": f"f{at}", "labels": {"deployment": ONE, "provider": "azure", "region": "eastus"},
    }  # fmt: skip
    return Sent(at, Message(**{"step": step, "at": moment, "since": moment} | own | fields))


def scored(*sent: Sent, scenario: Scenario | None = None) -> Score:
    """Return the score of an outage of ten minutes in which twenty calls failed in the first 20 s."""
    traffic = Traffic.HIGH
    chosen = scenario or Scenario("outage", "", 1_800, (), (outage(traffic, 600),))
    return score(chosen, traffic, 1, Run(sent, Truth(failures={ONE: [float(second) for second in range(20)]}), 0.0))[0]


def test_an_outage_that_is_sent_in_time_and_resolved_passes() -> None:
    """Two messages, Medium."""
    found = scored(message(30), message(700, Step.RESOLVED))

    assert found.passed
    assert (found.detected, found.seconds, found.messages, found.end) == (True, 30, 2, "ok")


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ((), {"detected": False}),
        ((message(130), message(700, Step.RESOLVED)), {"detected": False, "seconds": 130}),
        ((message(30),), {"end": "missing"}),
        ((message(30), message(100, Step.RESOLVED)), {"end": "early"}),
        ((message(30), message(900, Step.RESOLVED)), {"end": "late"}),
        ((message(30, severity=Severity.HIGH), message(700, Step.RESOLVED)), {"level_right": False}),
        ((message(30), message(690), message(700, Step.RESOLVED)), {"messages": 3, "false": 1}),
        (
            (message(30), message(620, Step.RESOLVED), message(621, Step.SUMMARY, severity=Severity.HIGH)),
            {"messages": 3, "false": 1, "false_high": 1},
        ),
        (
            (message(400, since=datetime.fromtimestamp(-400, UTC)), message(700, Step.RESOLVED)),
            {"since_right": False},
        ),
        (
            (message(30), message(31, type=AlertType.REGION_OUTAGE_ALERTS), message(700, Step.RESOLVED)),
            {"messages": 2, "false": 1},
        ),
        (
            (message(30), message(40, severity=Severity.HIGH, labels={"model": "o3"}), message(700, Step.RESOLVED)),
            {"false": 1, "false_high": 1},
        ),
    ],
)
def test_the_result_names_each_difference(sent: tuple[Sent, ...], wrong: dict[str, object]) -> None:
    """Missing, late, early, too many, about something else, too loud, or after the end."""
    found = scored(*sent)

    assert not found.passed
    assert {name: getattr(found, name) for name in wrong} == wrong


def test_a_first_notice_at_low_is_always_allowed() -> None:
    """The page's row for a failed call; a repeated one counts."""
    low = {"type": AlertType.LLM_EXCEPTIONS, "severity": Severity.LOW, "labels": {"model": "gpt-4o"}}
    first = message(5, Step.NOTICE, fingerprint="x", **low)
    again = message(400, Step.SUMMARY, fingerprint="x", **low)

    assert scored(first, message(30), message(700, Step.RESOLVED)).passed
    assert scored(first, message(30), again, message(700, Step.RESOLVED)).messages == 3


def test_a_late_notice_at_low_is_about_another_call() -> None:
    """Some calls fail on any day; a summary soon after the end is about the outage's own."""
    low = {"type": AlertType.LLM_EXCEPTIONS, "severity": Severity.LOW, "labels": {"model": "gpt-4o"}}
    ends = message(30), message(620, Step.RESOLVED)

    assert not scored(*ends, message(700, Step.SUMMARY, **low)).passed
    first = message(-100, Step.NOTICE, fingerprint="x", **low)
    assert not scored(first, *ends, message(700, Step.NOTICE, count=12, fingerprint="x", **low)).passed
    assert scored(first, *ends, message(700, Step.NOTICE, count=1, fingerprint="x", **low)).passed
    assert scored(*ends, message(1_500, Step.SUMMARY, **low)).passed


def test_an_incident_may_have_two_messages_and_two_more_in_an_hour() -> None:
    """A rise to High allows one more, and each further condition two."""
    hour = outage(Traffic.HIGH, 3_600)
    high, three = outage(Traffic.HIGH, 600, level=HIGH), outage(Traffic.HIGH, 600, conditions=3)

    assert [one.allowed for one in (outage(Traffic.HIGH, 600), hour, high, three)] == [2, 4, 3, 6]


def test_an_outage_that_too_few_calls_met_need_not_be_sent() -> None:
    """No rule could detect it."""
    scenario = Scenario("outage", "", 1_800, (), (outage(Traffic.HIGH, 600, after_failures=21),))

    assert scored(scenario=scenario).detected is None


def test_a_message_during_silence_is_false() -> None:
    """The reason does not matter."""
    scenario = SCENARIOS["silence-around"](Traffic.HIGH)

    notice = {"type": AlertType.LLM_EXCEPTIONS, "severity": Severity.LOW}

    assert scored(message(60), scenario=scenario).false == 1
    assert scored(message(60, Step.NOTICE, **notice), scenario=scenario).false == 1


def test_a_healthy_day_has_at_most_five_repeated_messages() -> None:
    """The scenario limits the number above Low, and none is High."""
    scenario = SCENARIOS["day-25"](Traffic.HIGH)
    low = [message(one, Step.SUMMARY, severity=Severity.LOW, fingerprint="x") for one in range(100, 105)]
    medium, high = message(200, Step.SUMMARY), message(300, Step.SUMMARY, severity=Severity.HIGH)

    assert scored(*low, scenario=scenario).passed
    assert scored(*low, medium, scenario=scenario).false == 1
    assert scored(*low, high, scenario=scenario).false_high == 1


def test_scores_are_read_from_json_and_written_into_a_page(tmp_path: Path) -> None:
    """If two files have the same run, the later one counts."""
    failed, passed = scored(), scored(message(30), message(700, Step.RESOLVED))
    for name, score_ in (("first", failed), ("second", passed)):
        (tmp_path / name).write_text(json.dumps([score_.row()]))
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    found = read([str(tmp_path / "first"), str(tmp_path / "second")])

    assert found == [passed]
    assert failed.wrong == ["not detected", "end missing", "level missing"]
    assert replaced(page, markdown(found)).splitlines()[3].startswith("| scenario ")
    with pytest.raises(ValueError, match="no lines"):
        replaced("no marks", "")


def test_the_page_has_marks_for_the_table() -> None:
    """Its table is written by a command."""
    assert replaced((Path(__file__).parents[2] / "docs" / "simulation.md").read_text(), "x")


def test_a_load_may_have_a_number_of_calls() -> None:
    """Two calls time out, not two on average."""
    key = caller(KEYS + 1).key_alias
    load = Load(0, 120, "gpt-4o", 6_000, (KEYS + 1,), most=2)
    events, _, _ = events_of(load, Fault(0, 120, UNAVAILABLE, callers=frozenset({key})))
    own = {event.call_id for event in events if isinstance(event, AttemptFailed) and event.key_alias == key}

    assert len(own) == 2


def test_healthy_days_can_be_judged_without_the_pipeline() -> None:
    """Counts alone find outages on a healthy day at 25 calls a second, and none at half a call a second."""
    assert false_outages("counts", 25.0, 1, 1)[0].total() > 0
    assert false_outages("counts", 0.5, 1, 1)[0].total() == 0


def test_an_outage_on_a_healthy_day_would_be_found() -> None:
    """Stretches whose failures are far apart are not judged; a dense one is, among any number of others."""
    limits, own = JUDGES["evidence"].deployment, Attempts(ONE, 1.0, Random(1))
    for moment in range(0, 80_000, 500):
        own.add(moment, "503")

    assert outages_of([own], limits) == 0
    for moment in range(40_000, 40_060, 2):
        own.add(moment, "503")
    assert outages_of([own], limits) == 1


def test_an_outage_of_a_model_on_a_healthy_day_would_be_found() -> None:
    """All of its deployments must fail at once."""
    limits, both = JUDGES["evidence"].model, [Attempts(name, 1.0, Random(1), "gpt-4o") for name in ("one", "two")]
    for moment in range(40_000, 40_060, 2):
        both[0].add(moment, "503")
    assert outages_of(both, limits) == 0
    for own in both:
        own.succeeded |= dict.fromkeys(range(39_900, 40_200, 10), 0)
    for moment in range(40_000, 40_060, 2):
        both[1].add(moment, "503")
    assert outages_of(both, limits) == 1


def test_rare_errors_at_little_traffic_on_a_healthy_day_would_be_found() -> None:
    """Each sixth of three calls a minute, for an hour."""
    limits, own = JUDGES["evidence"].deployment, Attempts(ONE, 0.05 * 5 / 6, Random(1))
    for moment in range(40_000, 43_600, 120):
        own.add(moment, "503")
    assert outages_of([own], limits) == 1
