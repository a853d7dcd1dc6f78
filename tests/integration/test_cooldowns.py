"""Notices of cooldowns on a real database: a deployment's calls decide whether they are summed up."""

from __future__ import annotations

import pytest

from alertworker.alerts.message import Step
from alertworker.events import DeploymentCooledDown
from alertworker.pipeline import Runtime, sweep
from tests.integration.harness import Outbox, run_until_quiet
from tests.integration.test_outages import after, attempt, ingest_at, success


def cooled(seconds: float) -> DeploymentCooledDown:
    failure = attempt(seconds, status=429).failure
    return DeploymentCooledDown(occurred_at=after(seconds), deployment_id="d1", seconds=5, failure=failure)


@pytest.mark.parametrize(("answered", "expected"), [(60, [Step.NOTICE]), (30, [Step.NOTICE, Step.SUMMARY])])
def test_cooldowns_of_a_deployment_that_answers_nine_of_ten_calls_are_not_summed_up(
    runtime: Runtime, outbox: Outbox, answered: int, expected: list[Step]
) -> None:
    """Other deployments answer the few calls that it fails. Six failed calls of 66 are few, six of 36 are not."""
    for number in range(6):
        at = 10 + number
        own = [success(at + n / 100) for n in range(answered // 6)]
        ingest_at(runtime, attempt(at, status=429), cooled(at), *own, at=at)
    sweep(runtime, now=after(30))
    run_until_quiet(runtime, after(30))

    assert [message.step for message in outbox.sent] == expected
