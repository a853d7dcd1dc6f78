"""One caller's problem: which failures are explained by one key, and which are an outage."""

from __future__ import annotations

import pytest

from alertworker.outages.callers import KeyRow, Suspect, answered_at_most, fails_elsewhere, suspect
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import judge
from alertworker.outages.windows import KEY_GROUPS, Bucket, group_of

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)
REGION = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)


def by_group(others: int, key: str = "k1", own: int = 0) -> tuple[int, ...]:
    """Return answered calls of other keys, in two other groups, and of a key."""
    counts = [0] * KEY_GROUPS
    mine = group_of(key)
    counts[mine] = own
    counts[(mine + 1) % KEY_GROUPS] = others // 2
    counts[(mine + 2) % KEY_GROUPS] = others - others // 2
    return tuple(counts)


def buckets(failed: int, succeeded: int, deployment: str = "d1", own: int = 0) -> list[Bucket]:
    groups = by_group(succeeded - own, own=own)
    return [Bucket(0, deployment, succeeded, {"500": failed}, last_failure=1, by_group=groups)]


def found(failed: int, succeeded: int, *rows: KeyRow, limits: Limits = LIMITS) -> Suspect | None:
    windows = buckets(failed, succeeded)
    return suspect(judge(windows, limits), windows, rows, limits)


def row(key: str, failed: int, deployment: str = "d1") -> KeyRow:
    return KeyRow(0, deployment, key, "gpt-4o", failed)


def test_the_failures_of_one_key_are_that_key_s() -> None:
    """Its failures are counted, and the calls of all keys."""
    assert found(8, 12, row("k1", 8)) == Suspect("k1", 8, 8, 20, 0, 2, ("gpt-4o",), ("d1",), 0)


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


def test_stray_failures_are_compared_with_the_calls_of_others() -> None:
    """The answered calls of the key itself show nothing about the others."""
    rows = [row("k1", 20), row("k2", 2)]
    windows = buckets(22, 100, own=95)
    assert suspect(judge(windows, LIMITS), windows, rows, LIMITS) is None


@pytest.mark.parametrize(
    ("failed", "own", "others", "expected"),
    [
        (6, 0, 4, True),  # all calls of the key fail, and others are answered
        (6, 0, 2, False),
        (8, 8, 20, True),
        (10, 45, 5, False),  # the key makes 90 % of the calls
        (40, 0, 4, True),  # most calls fail, and the others are answered
        (10, 0, 0, False),
    ],
)
def test_the_calls_of_others_in_the_window_must_prove_it(failed: int, own: int, others: int, *, expected: bool) -> None:
    """An outage hits every key as often as it calls."""
    windows = buckets(failed, own + others, own=own)
    one = suspect(judge(windows, LIMITS), windows, [row("k1", failed)], LIMITS)
    assert one is not None
    assert one.stands_out is expected


def test_one_other_key_proves_nothing() -> None:
    """Its calls may be of a kind that works."""
    groups = [0] * KEY_GROUPS
    groups[(group_of("k1") + 1) % KEY_GROUPS] = 20
    windows = [Bucket(0, "d1", 20, {"500": 8}, last_failure=1, by_group=tuple(groups))]
    one = suspect(judge(windows, LIMITS), windows, [row("k1", 8)], LIMITS)
    assert one is not None
    assert not one.stands_out


@pytest.mark.parametrize(
    ("groups", "most"), [((), 100), (by_group(10), 0), (by_group(9, own=1), 10)], ids=["none", "others", "a tenth"]
)
def test_calls_of_unknown_keys_are_of_the_same_keys(groups: tuple[int, ...], most: int) -> None:
    """If no key is known, as from a worker of the previous version, all calls may be those of one key."""
    windows = [Bucket(0, "d1", 100, {"500": 20}, by_group=groups)]
    assert answered_at_most("k1", windows) == most


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


HERE = Bucket(100, "d1", 0, {"timeout": 5}, provider="azure", region="eu")
ALL = Suspect("k", 5, 5, 5, 0, 0, ("gpt-4o",), ("d1",), 100)


def elsewhere(*buckets: Bucket, own: int = 2, deployments: str = "d2 d3") -> bool:
    rows = [KeyRow(100, "d1", "k", "gpt-4o", 5)]
    rows += [KeyRow(100, name, "k", "gpt-4o", own) for name in deployments.split()]
    return fails_elsewhere(ALL, [HERE, *buckets], rows, 0.01)


def answering(name: str, failed: int = 2, succeeded: int = 4, region: str = "us", own: int = 0) -> Bucket:
    causes, groups = {"timeout": failed} if failed else {}, by_group(succeeded - own, "k", own)
    return Bucket(100, name, succeeded, causes, provider="azure", region=region, by_group=groups)


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
    before = Bucket(90, "d2", 9, provider="azure", region="us", by_group=by_group(9, "k"))
    assert not elsewhere(before, answering("d2", 5, 0), answering("d3", 0, 9), own=5, deployments="d2")


def test_the_answered_calls_must_be_those_of_other_keys() -> None:
    """A batch job may have made most of them."""
    assert elsewhere(*(answering(name, 15, own=2) for name in ("d2", "d3")), own=15)
    assert not elsewhere(*(answering(name, 15, own=3) for name in ("d2", "d3")), own=15)


def test_at_least_three_answered_calls_must_be_those_of_other_keys() -> None:
    """This holds even if very many calls of the key fail."""
    assert elsewhere(answering("d2", 30, 3), own=30, deployments="d2")
    assert not elsewhere(answering("d2", 30, 2), own=30, deployments="d2")
