"""One caller's problem: which failures are explained by one key, and which are an outage."""

from __future__ import annotations

import pytest

from alertworker.outages.callers import KeyRow, ModelUse, Suspect, is_callers, suspect
from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket, Limits

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)
REGION = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)
RARE = ModelUse(keys=3, calls=1_000, own_calls=50)


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


@pytest.mark.parametrize(("failed", "succeeded"), [(3, 100), (9, 3), (10, 0)])
def test_no_outage_and_a_large_one_have_no_suspect(failed: int, succeeded: int) -> None:
    """From 75 % on no other key's calls prove that the deployment works."""
    assert found(failed, succeeded, row("k1", failed)) is None


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
    assert is_callers(one, [use]) is expected
