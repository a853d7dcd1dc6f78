"""The severity of a region's and a model's outage: calls that users lost count, whatever their producer reports."""

from __future__ import annotations

from typing import Any

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import FailedOn, RequestFailed, RequestSucceeded
from alertworker.pipeline import Runtime
from tests.integration.harness import Outbox, run_until_quiet
from tests.integration.test_outages import after, attempt, ingest_at, lost, pass_time, success

#: With the region of a failed call, as our callback reports it, and without.
REGIONS = pytest.mark.parametrize("region", ["eu", None])


def failed_on(region: str | None, *deployments: str) -> tuple[FailedOn, ...]:
    return tuple(FailedOn(deployment_id=name, provider="azure", region=region) for name in deployments)


def lost_in(seconds: float, region: str | None, *deployments: str) -> RequestFailed:
    return lost(seconds, failed_on=failed_on(region, *deployments))


def saved(seconds: float, region: str | None, deployment: str, **more: Any) -> RequestSucceeded:
    return success(seconds, deployment="other", failed_on=failed_on(region, deployment), **more)


def of_region(outbox: Outbox) -> list[Message]:
    return [message for message in outbox.sent if message.type is AlertType.REGION_OUTAGE_ALERTS]


def down(runtime: Runtime) -> None:
    """Fail two deployments of two models in a region."""
    first = [attempt(n, deployment="d1", region="eu") for n in range(6)]
    second = [attempt(n, deployment="d2", region="eu").model_copy(update={"model_group": "m2"}) for n in range(6)]
    ingest_at(runtime, *first, *second, at=7)


@REGIONS
def test_lost_calls_make_it_high(runtime: Runtime, outbox: Outbox, region: str | None) -> None:
    """Also if they end in a later batch."""
    down(runtime)
    pass_time(runtime, 16)
    assert [message.severity for message in of_region(outbox)] == [Severity.MEDIUM]
    ingest_at(runtime, *[lost_in(n, region, "d1") for n in range(6)], at=17)
    run_until_quiet(runtime, after(17))
    assert [message.severity for message in of_region(outbox)] == [Severity.MEDIUM, Severity.HIGH]
    assert of_region(outbox)[-1].facts["Calls lost"] == "6 (search ×6)"


@REGIONS
def test_its_end_counts_all_calls(runtime: Runtime, outbox: Outbox, region: str | None) -> None:
    """A call that failed on two deployments of the region is lost once."""
    down(runtime)
    run_until_quiet(runtime, after(7))
    ends = [lost_in(n, region, "d1", "d3") for n in range(6)] + [
        saved(n, region, "d2", model_group="m2") for n in range(4)
    ]
    ingest_at(runtime, *ends, at=8)
    run_until_quiet(runtime, after(8))
    ingest_at(runtime, *[success(100 + n, deployment=f"d{n % 2 + 1}", region="eu") for n in range(40)], at=140)
    pass_time(runtime, 200)
    (end,) = (message for message in of_region(outbox) if message.step is Step.RESOLVED)
    assert (end.facts["Calls lost"], end.facts["Calls saved"]) == ("6 (search ×6)", "4 by retry")
    assert end.facts["Attempts"] == "12 of 12 failed in 5 s"


def test_a_region_is_as_severe_as_its_deployments(runtime: Runtime, outbox: Outbox) -> None:
    """Few of the region's calls are lost, but many of one deployment's: the region's outage inhibits that one."""
    many = [attempt(n / 10, deployment="d1", region="eu") for n in range(200)]
    few = [attempt(n, deployment="d2", region="eu").model_copy(update={"model_group": "m2"}) for n in range(20)]
    saves = [saved(n / 10, "eu", "d1") for n in range(200)]
    ends = [lost(n, failed_on=failed_on("eu", "d2"), model_group="m2") for n in range(6)]
    ingest_at(runtime, *many, *few, *saves, *ends, at=21)
    run_until_quiet(runtime, after(21))
    assert [(message.type, message.severity) for message in outbox.sent if "outage" in message.type] == [
        (AlertType.REGION_OUTAGE_ALERTS, Severity.HIGH)
    ]


def test_a_model_is_as_severe_as_its_deployments(runtime: Runtime, outbox: Outbox) -> None:
    many = [attempt(n / 10, deployment="d1") for n in range(200)]
    few = [attempt(n, deployment="d2") for n in range(20)]
    ends = [lost(n, failed_on=failed_on(None, "d2")) for n in range(6)]
    answered = {"model_group": "m2", "original_model_group": "gpt-4o", "fallbacks": 1}
    ingest_at(runtime, *many, *few, *[saved(n / 10, None, "d1", **answered) for n in range(200)], *ends, at=21)
    run_until_quiet(runtime, after(21))
    conditions = [message for message in outbox.sent if "outage" in message.type]
    assert [(message.labels.get("scope"), message.severity) for message in conditions] == [("model", Severity.HIGH)]


def test_a_medium_outage_of_a_region_mutes_no_high_one(runtime: Runtime, outbox: Outbox) -> None:
    """The region was harmless. Later only one of its deployments fails, and users lose calls."""
    down(runtime)
    pass_time(runtime, 16)
    later = [attempt(1_200 + n, deployment="d1", region="eu") for n in range(10)]
    ingest_at(runtime, *later, *[lost_in(1_200 + n, "eu", "d1") for n in range(10)], at=1_211)
    run_until_quiet(runtime, after(1_211))
    found = [(message.type, message.severity) for message in outbox.sent if "outage" in message.type]
    assert found == [
        (AlertType.REGION_OUTAGE_ALERTS, Severity.MEDIUM),
        (AlertType.OUTAGE_ALERTS, Severity.HIGH),
    ]
