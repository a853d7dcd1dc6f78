"""Outages of providers: several of its regions and models fail at once, and that is one message."""

from __future__ import annotations

from dataclasses import replace

from alertworker.alerts.alert import fingerprint_of
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.events import AttemptFailed, Event
from alertworker.pipeline import Runtime
from tests.integration.harness import Outbox
from tests.integration.test_outages import attempt, ingest_at, pass_time, success

#: Deployments with their model and region.
PLACES = {"d1": ("m1", "eu"), "d2": ("m2", "eu"), "d3": ("m1", "us"), "d4": ("m2", "us")}


def failed(second: float, deployment: str) -> AttemptFailed:
    model, region = PLACES[deployment]
    return attempt(second, deployment=deployment, region=region).model_copy(update={"model_group": model})


def answered(second: float, deployment: str) -> Event:
    model, region = PLACES[deployment]
    return success(second, deployment=deployment, region=region, model_group=model)


def burst(start: int, *deployments: str) -> list[Event]:
    return [failed(start + n, name) for n in range(6) for name in deployments]


def test_a_provider_that_is_down_is_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """It mutes its regions, models and deployments, and its end is the only other message."""
    ingest_at(runtime, *burst(0, *PLACES), at=7)
    pass_time(runtime, 30)
    (message,) = outbox.sent
    assert (message.type, message.severity, message.step) == (AlertType.OUTAGE_ALERTS, Severity.MEDIUM, Step.FIRING)
    assert message.headline == "Major Service Outage: provider azure"
    assert message.labels == {"scope": "provider", "provider": "azure", "deployment": ""}
    assert message.fingerprint == fingerprint_of(message.type, {"scope": "provider", "provider": "azure"})
    assert message.facts["Deployments"].count("6 of 6 failed") == 4

    for second in range(60, 300, 20):
        ingest_at(runtime, *[answered(second + n, name) for n in range(4) for name in PLACES], at=second + 5)
    pass_time(runtime, 400)
    assert [one.step for one in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    assert "scope" in outbox.sent[1].labels


def test_one_region_or_one_model_is_no_provider(runtime: Runtime, outbox: Outbox) -> None:
    """The narrower outage says all."""
    ingest_at(runtime, *burst(0, "d1", "d2"), at=7)
    pass_time(runtime, 60)
    assert {one.type for one in outbox.sent} == {AlertType.REGION_OUTAGE_ALERTS}


def test_a_provider_whose_other_deployments_answer_has_no_outage(runtime: Runtime, outbox: Outbox) -> None:
    """Half of its deployments fail."""
    calls = [answered(n, name) for n in range(6) for name in ("d2", "d3")]
    ingest_at(runtime, *calls, *burst(0, "d1", "d4"), at=7)
    pass_time(runtime, 60)
    assert len(outbox.sent) == 2
    assert all(one.labels["deployment"] in {"d1", "d4"} for one in outbox.sent)


def test_without_a_minimum_share_there_is_none(runtime: Runtime, outbox: Outbox) -> None:
    """LiteLLM has no outages of providers."""
    outages = runtime.policy.outages
    plain = replace(outages, deployment=replace(outages.deployment, share=0), region=replace(outages.region, share=0))
    runtime = replace(runtime, policy=replace(runtime.policy, outages=plain))
    ingest_at(runtime, *burst(0, *PLACES), at=7)
    pass_time(runtime, 60)
    assert outbox.sent
    assert not any("scope" in one.labels for one in outbox.sent)
