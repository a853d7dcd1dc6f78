"""A deployment's outage that waits, because one of its model may follow."""

from __future__ import annotations

import pytest

from alertworker.outages.hold import most_fail
from alertworker.outages.windows import Bucket


def bucket(deployment: str, failed: int, succeeded: int = 0) -> Bucket:
    return Bucket(
        0, deployment, succeeded, {"503": failed} if failed else {}, 5_000 * bool(succeeded), 5_001, model="m"
    )


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        ([bucket("a", 5), bucket("b", 1, 2)], True),
        ([bucket("a", 5), bucket("b", 1), bucket("c", 0, 9)], True),
        ([bucket("a", 5), bucket("b", 1, 3)], False),
        ([bucket("a", 5), bucket("b", 1), bucket("c", 0, 9), bucket("d", 0, 9)], False),
        ([bucket("a", 5), bucket("b", 0, 9)], False),
        ([bucket("a", 5)], False),
        ([], False),
    ],
    ids=["all fail", "most fail", "a stray failure", "half of them fail", "one fails", "its only one", "no call"],
)
def test_a_models_outage_may_follow_if_most_of_its_deployments_fail(rows: list[Bucket], most: bool) -> None:
    """Deployments without a call do not count."""
    assert most_fail(rows) is most
