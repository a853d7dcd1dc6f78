"""One caller's problem: which failures are explained by one key, and which are an outage."""

from __future__ import annotations

import pytest

from alertworker.outages.callers import KeyRow, ModelUse, Suspect, fails_elsewhere, is_callers_problem, suspect
from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket, Limits

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)
REGION = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)
RARE = ModelUse(keys=3, calls=1_000, own_calls=50, own_succeeded=50)


def buckets(failed: int, succeeded: int, deployment: str = "d1") -> list[Bucket]:
    return [Bucket(0, deployment, succeeded, {"500": failed}, last_failure=1)]


def found(failed: int, succeeded: int, *rows: KeyRow, limits: Limits = LIMITS) -> Suspect | None:
    windows = buckets(failed, succeeded)
    return suspect(judge(windows, limits), windows, rows, limits)


def row(key: str, failed: int, deployment: str = "d1") -> KeyRow:
    return KeyRow(0, deployment, key, "gpt-4o", failed)


def test_the_failures_of_one_key_are_that_key_s() -> None:
    """Its failures are counted, and the calls of all keys."""
    assert found(8, 12, row("k1", 8)) == Suspect("k1", 8, 8, 20, ("gpt-4o",), ("d1",), 0)


@pytest.mark.parametrize(
    "rows",
    [
        [row("k1", 5), row("k2", 3)],  # two keys fail: chance does not explain the second
        [row("", 8)],  # the key of these calls is unknown
        [row("k1", 4)],  # too few are known to be its own
        [],  # a worker of the previous version counted them
    ],
)
def test_other_failures_are_an_outage(rows: list[KeyRow]) -> None:
    """Calls of other keys, or of unknown ones, must be fine."""
    assert found(8, 12, *rows) is None


def test_stray_failures_of_others_are_chance() -> None:
    """A healthy deployment may fail 1 % of its calls."""
    assert found(21, 100, row("k1", 20), row("k2", 1)) is not None
    assert found(27, 100, row("k1", 20), row("k2", 4), row("k3", 3)) is None


def test_without_an_outage_there_is_no_suspect() -> None:
    """Few failures of many calls are no outage."""
    assert found(3, 100, row("k1", 3)) is None


@pytest.mark.parametrize(("failed", "succeeded", "expected"), [(8, 3, False), (9, 3, True), (10, 0, True)])
def test_from_75_percent_on_other_deployments_must_prove_it(failed: int, succeeded: int, *, expected: bool) -> None:
    """No other key's calls prove that the deployment works."""
    one = found(failed, succeeded, row("k1", failed))
    assert one is not None
    assert one.fails_most is expected


def test_litellm_s_counts_have_no_suspect() -> None:
    """Without a minimum share the counts alone decide."""
    limits = Limits(seconds=60, minor=5, major=10)
    assert found(8, 12, row("k1", 8), limits=limits) is None


def test_a_region_without_the_key_s_failures_must_have_no_outage() -> None:
    """Its deployments are judged by themselves, so strays on them need not be explained here."""
    windows = [*buckets(10, 20), *buckets(2, 15, "d2")]
    rows = [row("k1", 10), row("k2", 2, "d2")]
    assert suspect(judge(windows, REGION), windows, rows, REGION) is not None
    worse = [*buckets(10, 20), Bucket(0, "d2", 2, {"500": 6}), Bucket(0, "d3", 2, {"500": 6})]
    rows = [row("k1", 10), row("k2", 6, "d2"), row("k3", 6, "d3")]
    assert suspect(judge(worse, REGION), worse, rows, REGION) is None


@pytest.mark.parametrize(
    ("one", "use", "expected"),
    [
        (Suspect("k", 8, 8, 20, ("m",), ("d",), 0), RARE, True),
        (Suspect("k", 8, 8, 20, ("m",), ("d",), 0), RARE._replace(keys=2), False),
        (Suspect("k", 8, 8, 20, ("m",), ("d",), 0), RARE._replace(own_calls=600), False),
        (Suspect("k", 8, 8, 14, ("m",), ("d",), 0), RARE, True),
        (Suspect("k", 8, 8, 14, ("m",), ("d",), 0), RARE._replace(own_calls=400), False),
        (Suspect("k", 8, 10, 40, ("m",), ("d",), 0), RARE, True),
        (Suspect("k", 8, 10, 40, ("m",), ("d",), 0), RARE._replace(own_calls=400), False),
    ],
)
def test_other_keys_must_show_that_the_model_works(one: Suspect, use: ModelUse, *, expected: bool) -> None:
    """A key that makes most calls has most failures of an outage."""
    assert is_callers_problem(one, [use]) is expected


UNUSED = RARE._replace(own_succeeded=0)
HERE = Bucket(100, "d1", 0, {"timeout": 5}, provider="azure", region="eu")
ALL = Suspect("k", 5, 5, 5, ("gpt-4o",), ("d1",), 100)


def elsewhere(*buckets: Bucket, own: int = 2, use: ModelUse = UNUSED, deployments: str = "d2 d3") -> bool:
    rows = [KeyRow(100, "d1", "k", "gpt-4o", 5)]
    rows += [KeyRow(100, name, "k", "gpt-4o", own) for name in deployments.split()]
    return fails_elsewhere(ALL, [use], [HERE, *buckets], rows, 0.01)


def answering(name: str, failed: int = 2, succeeded: int = 4, region: str = "us") -> Bucket:
    return Bucket(100, name, succeeded, {"timeout": failed} if failed else {}, provider="azure", region=region)


def test_a_key_that_fails_in_other_regions_fails_by_itself() -> None:
    """The deployments there answer the calls of other keys."""
    assert elsewhere(answering("d2"), answering("d3"))


def test_a_key_with_successful_calls_elsewhere_met_an_outage() -> None:
    """A batch job of a rare key meets a dead deployment. One stray failure elsewhere is chance."""
    assert not elsewhere(answering("d2", 0), answering("d3", 0), deployments="")
    assert not elsewhere(answering("d2", 1), answering("d3", 0), own=1, deployments="d2")


@pytest.mark.parametrize(
    ("failed", "succeeded", "region"),
    [
        (2, 4, "eu"),  # all failures are in one region
        (4, 4, "us"),  # other keys' calls fail, too
        (2, 1, "us"),  # too few answered calls
    ],
)
def test_other_regions_must_answer_other_keys(failed: int, succeeded: int, region: str) -> None:
    """Otherwise more than this key is in trouble."""
    assert not elsewhere(*(answering(name, failed, succeeded, region) for name in ("d2", "d3")))


def test_a_second_dead_deployment_proves_nothing() -> None:
    """It answered calls before the key's first failure, and a deployment that never failed the key answers others."""
    before = Bucket(90, "d2", 9, provider="azure", region="us")
    assert not elsewhere(before, answering("d2", 5, 0), answering("d3", 0, 9), own=5, deployments="d2")


def test_where_most_calls_fail_nothing_is_proved() -> None:
    """Two deployments go down at once, and calls of the key alone meet them."""
    assert not elsewhere(answering("d2", 12, 4), own=12, deployments="d2")
    assert elsewhere(answering("d2", 11, 4), own=11, deployments="d2")


def test_the_answered_calls_must_be_those_of_other_keys() -> None:
    """The ledger knows how many calls of the key were answered: a batch job may have made all of them."""
    assert elsewhere(answering("d2"), answering("d3"), use=RARE._replace(own_succeeded=5))
    assert not elsewhere(answering("d2"), answering("d3"), use=RARE._replace(own_succeeded=6))
