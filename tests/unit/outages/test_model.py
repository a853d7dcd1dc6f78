"""Outages of model groups."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from alertworker.outages.ending import End
from alertworker.outages.model import (
    EndedCalls,
    JudgedModel,
    add_up,
    is_outage_without,
    judge_dead_model,
    judge_model,
    model_ended,
    model_recovered_at,
)
from alertworker.outages.policy import OutagePolicy
from alertworker.outages.verdict import Threshold, judge
from alertworker.outages.windows import Bucket, Calls

LIMITS = OutagePolicy().model


def bucket(deployment: str, failed: int, succeeded: int = 0, *, start: int = 0, model: str = "m") -> Bucket:
    causes = {"503": failed} if failed else {}
    moment = (start + 5) * 1_000
    last = (moment if succeeded else 0, moment + 1 if failed else 0)
    return Bucket(start, deployment, succeeded, causes, *last, model=model)


def ended(lost: int, *, deployment: str = "", start: int = 0, by_fallback: int = 0) -> EndedCalls:
    return EndedCalls(start, deployment, "search", by_fallback, 0, lost)


@pytest.mark.parametrize(
    ("rows", "crossed"),
    [
        ([bucket("a", 5), bucket("b", 2)], Threshold.MINOR),
        ([bucket("a", 6), bucket("b", 6), bucket("c", 1)], Threshold.MAJOR),
        ([bucket("a", 9, 6), bucket("b", 9, 6)], Threshold.MAJOR),
        ([bucket("a", 4), bucket("b", 4), bucket("c", 4)], Threshold.NONE),
        ([bucket("a", 9), bucket("b", 1)], Threshold.NONE),
        ([bucket("a", 9)], Threshold.NONE),
        ([bucket("a", 9), bucket("b", 9), bucket("c", 0, 1)], Threshold.MAJOR),
        ([bucket("a", 9), bucket("b", 9), bucket("c", 0, 9), bucket("d", 0, 9)], Threshold.NONE),
        ([*(bucket(name, 7, 3) for name in "abc"), bucket("d", 0, 90)], Threshold.MAJOR),
        ([*(bucket(name, 7, 3) for name in "abc"), bucket("d", 1, 2)], Threshold.MAJOR),
        ([bucket("a", 9), bucket("b", 2, 6)], Threshold.NONE),
    ],
    ids=[
        "no deployment answers",
        "one was tried once",
        "all answer some calls",
        "may be four calls",
        "one failure is chance",
        "its only deployment",
        "one of three answers",
        "half of them answer",
        "one of four answers",
        "one of four had a stray failure",
        "two failures may be chance",
    ],
)
def test_a_model_has_an_outage_if_most_of_its_deployments_fail(rows: list[Bucket], crossed: Threshold) -> None:
    """The call that fails on three deployments counts once."""
    assert judge_model(rows, [], LIMITS).crossed is crossed


def test_a_region_counts_the_calls_of_each_model_once() -> None:
    """Two calls with retries are six attempts on three deployments of one model. Six calls of three models are six."""
    region = OutagePolicy().region
    attempts = [bucket(name, 2, model="m") for name in "abc"]
    calls = [bucket(name, 2, model=name) for name in "abc"]

    assert judge(attempts, region).crossed is Threshold.NONE
    assert judge(calls, region).crossed is Threshold.MINOR


def test_calls_that_users_lost_are_an_outage_of_the_model() -> None:
    """Its deployments fail few attempts, because they cool down. The failures by deployment are those of attempts."""
    rows = [bucket("a", 1, 3), bucket("b", 1, 3)]
    verdict = judge_model(rows, [ended(9)], LIMITS)

    assert (verdict.crossed, verdict.failed, verdict.calls) == (Threshold.MINOR, 9, 15)
    assert verdict.failures == {"a": (1, 4), "b": (1, 4)}


def test_lost_calls_of_one_deployment_are_its_own_outage() -> None:
    """Without retries, the users of the deployment that is down lose their calls."""
    rows = [bucket("a", 9), bucket("b", 0, 9), bucket("c", 0, 9)]
    lost = [ended(9, deployment="a"), ended(1, deployment="b")]

    assert judge_model(rows, lost, LIMITS).crossed is Threshold.NONE
    assert judge_model(rows, [*lost, ended(9, deployment="c")], LIMITS).crossed is Threshold.MAJOR


def test_calls_that_a_fallback_answers_are_not_lost() -> None:
    rows = [bucket("a", 1, 3), bucket("b", 1, 3)]

    assert judge_model(rows, [ended(2, by_fallback=90)], LIMITS).crossed is Threshold.NONE


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    chance = Random(seed)
    rows = [
        bucket(name, chance.randrange(4), chance.randrange(3), start=start)
        for name in "abc"
        for start in range(0, 600, 10)
    ]
    calls = [
        ended(chance.randrange(2), deployment=chance.choice(["", "a", "b"]), start=start) for start in range(0, 600, 10)
    ]
    first = judge_model(rows, calls, LIMITS)
    chance.shuffle(rows)
    chance.shuffle(calls)

    assert judge_model(rows, calls, LIMITS) == first


def test_a_model_with_few_calls_is_dead_if_no_deployment_answers() -> None:
    """Five calls in an hour failed on one of them, two on another one."""
    rows = [bucket("a", 1, start=n * 700) for n in range(5)] + [bucket("b", 1, start=n * 700) for n in range(2)]
    verdict = judge_dead_model(rows, LIMITS)

    assert verdict is not None
    assert verdict.is_dead
    assert judge_dead_model([*rows, bucket("c", 0, 1, start=5_000)], LIMITS) is None
    assert judge_dead_model([row for row in rows if row.deployment_id == "a"], LIMITS) is None


def test_an_outage_lasts_until_one_deployment_at_most_is_down() -> None:
    """Two that are still down would be two messages. The last one is its own outage."""
    before = [bucket(name, 3, start=start) for name in "abc" for start in range(0, 60, 10)]
    one_left = [bucket("a", 1, 0, start=start) for start in range(60, 200, 10)]
    one_left += [bucket(name, 0, 4, start=start) for name in "bc" for start in range(60, 200, 10)]
    two_left = [replace(row, succeeded=0, causes={"503": 4}) if row.deployment_id == "b" else row for row in one_left]

    assert model_ended(before, [], LIMITS, since=0, until=60) is None
    assert model_ended(before + two_left, [], LIMITS, since=0, until=200) is None
    assert model_ended(before + one_left, [], LIMITS, since=0, until=200) == (End.RECOVERED, 60)


def test_an_outage_of_most_deployments_lasts_although_another_one_answers_all_the_time() -> None:
    """Its many calls show no recovery of the others, even if single ones fail."""
    healthy = [bucket("d", int(start == 100), 90, start=start) for start in range(0, 200, 10)]
    failing = [bucket(name, 1, 1, start=start) for name in "abc" for start in range(0, 200, 10)]
    recovered = [bucket(name, 0, 4, start=start) for name in "abc" for start in range(200, 290, 10)]

    assert judge_model(healthy + failing, [], LIMITS).crossed
    assert model_ended(healthy + failing, [], LIMITS, since=0, until=200) is None
    assert model_ended(healthy + failing + recovered, [], LIMITS, since=0, until=290) == (End.RECOVERED, 200)
    assert model_recovered_at(healthy + failing + recovered, LIMITS) == 200


def test_an_outage_lasts_while_a_deployment_that_failed_has_not_answered() -> None:
    """A success on one deployment shows no recovery of another one, although both failed every call."""
    rows = [bucket(name, 1, start=start) for name in "abc" for start in range(0, 100, 10)]
    one = [bucket("b", 0, 1, start=start) for start in range(200, 300, 10)]
    both = [*one, *(bucket("c", 0, 1, start=start) for start in range(250, 300, 10))]

    assert model_ended(rows + one, [], LIMITS, since=0, until=300) is None
    assert model_ended(rows + both, [], LIMITS, since=0, until=300) == (End.RECOVERED, 200)


def test_few_failures_do_not_prove_that_every_call_failed() -> None:
    """If 70 % of the calls fail, four failures and a success are luck. On a dead model a success is enough."""
    rows = [bucket(name, 1, start=start) for name in "ab" for start in range(0, 80, 20)]
    rows += [bucket("a", 1, start=80)]
    success = [bucket("b", 0, 1, start=200)]
    more = [bucket("b", 0, 1, start=start) for start in range(210, 250, 10)]

    assert model_ended(rows + success, [], LIMITS, since=0, until=300) is None
    assert model_ended(rows + success, [], LIMITS, since=0, until=300, is_dead=True) == (End.RECOVERED, 200)
    assert model_ended(rows + success + more, [], LIMITS, since=0, until=300) == (End.RECOVERED, 200)


def test_the_deployment_that_may_still_fail_is_the_one_that_answered_least() -> None:
    """Two failed as many calls in the last minute, and one of them has answered since. The other one is left."""
    rows = [bucket(name, 1, start=start) for name in "ab" for start in range(0, 240, 10)]
    rows += [bucket("b", 0, 1, start=start) for start in range(240, 300, 10)]

    assert model_ended(rows, [], LIMITS, since=0, until=300) == (End.RECOVERED, 240)


def test_an_outage_lasts_while_calls_find_no_deployment() -> None:
    """No attempt is made in 15 minutes, and calls are lost."""
    assert model_ended([], [ended(3, start=100)], LIMITS, since=0, until=2_000) is None
    assert model_ended([], [], LIMITS, since=0, until=2_000) == (End.UNKNOWN, 0)


def test_ended_calls_add_up() -> None:
    calls = [ended(1), ended(2, start=20, by_fallback=4), EndedCalls(20, "a", "billing", 0, 1, 0)]

    assert add_up(calls, since=10) == Calls(4, 1, {"search": 2})


def test_lost_calls_of_a_refused_credential_are_explained_and_others_are_not() -> None:
    rows = [Bucket(second, name, 0, {"401": 3}) for second in (0, 10) for name in ("d1", "d2")]
    explained = [EndedCalls(0, name, "search", 0, 0, 8) for name in ("d1", "d2", "")]
    found = judge_model(rows, explained, LIMITS)
    judged = JudgedModel(found, Calls(), None, rows, explained)
    assert not is_outage_without(judged, {"d1", "d2"}, LIMITS)

    others = [Bucket(0, "d3", 9, {"503": 1}), Bucket(0, "d4", 9), *rows]
    lost = [*explained, EndedCalls(0, "d3", "search", 0, 0, 8)]
    assert is_outage_without(JudgedModel(found, Calls(), None, others, lost), {"d1", "d2"}, LIMITS)


def test_a_model_without_failed_attempts_recovers_after_the_last_lost_call() -> None:
    rows = [bucket(name, 0, 5, start=start) for start in range(0, 400, 10) for name in ("d1", "d2")]
    calls = [ended(2, start=start) for start in range(0, 100, 10)]
    ending = model_ended(rows, calls, LIMITS, since=0, until=400)
    assert ending is not None
    assert (ending.how, ending.at) == (End.RECOVERED, 100)


def test_an_outage_ends_once_a_single_deployment_fails() -> None:
    """The few calls of others prove nothing by number, but none of them failed for 15 minutes."""
    rows = [bucket("a", 2, 5), bucket("b", 1, 4), bucket("c", 0, 2)]
    assert model_ended(rows, [], LIMITS, since=-900, until=300) == (End.RECOVERED, -900)
    assert model_ended([*rows, bucket("b", 1)], [], LIMITS, since=-900, until=300) is None
    assert model_ended(rows, [ended(1, deployment="c")], LIMITS, since=-900, until=300) is None
