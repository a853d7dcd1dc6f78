"""Refused credentials on a real database: one condition for all deployments, which inhibits what it explains."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.events import AttemptFailed, DeploymentCooledDown, Event, FailedOn, Origin, RequestSucceeded
from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.outages import CREDENTIALS, REFUSALS
from tests.integration.harness import NOW, Outbox, batch, rows, run_until_quiet
from tests.integration.test_outages import after, attempt, ingest_at, lost, pass_time, success

KEY = "0123456789ab"
HEADLINE = "API key refused: azure rejects every call with one key for gpt-4o"


def refused(seconds: float, deployment: str = "d1", status: int = 401, **more: Any) -> AttemptFailed:
    return attempt(seconds, deployment=deployment, status=status, **more).model_copy(update={"credential": KEY})


def cooled(seconds: float, deployment: str = "d1", status: int = 401) -> DeploymentCooledDown:
    failure = refused(seconds, status=status).failure
    return DeploymentCooledDown(
        occurred_at=after(seconds), deployment_id=deployment, seconds=30, provider="azure", failure=failure
    )


def accepted(seconds: float, deployment: str = "d1", **more: Any) -> RequestSucceeded:
    return success(seconds, deployment=deployment, credential=KEY, **more)


def sent(outbox: Outbox) -> list[tuple[Step, Severity, str]]:
    return [(message.step, message.severity, message.headline) for message in outbox.sent]


def test_a_revoked_key_is_one_condition(runtime: Runtime, outbox: Outbox) -> None:
    """Four deployments, cooldowns, exceptions: two messages."""
    ingest_at(runtime, accepted(0))
    for number in range(40):
        at = 60 + number * 20
        ingest_at(runtime, refused(at, f"d{number % 4}"), at=at)
    run_until_quiet(runtime, after(900))
    assert sent(outbox) == [(Step.FIRING, Severity.MEDIUM, HEADLINE)]
    ingest_at(runtime, cooled(900), lost(901, failure=refused(901).failure, key_alias="app"), at=905)
    run_until_quiet(runtime, after(905))
    assert len(outbox.sent) == 1

    ingest_at(runtime, accepted(930, "d2"), at=930)
    pass_time(runtime, 960)
    pass_time(runtime, 2_000)
    assert [one[0] for one in sent(outbox)] == [Step.FIRING, Step.RESOLVED]
    assert outbox.sent[0].since == after(60)
    assert outbox.sent[0].facts["Credential"].startswith(KEY)
    assert outbox.sent[1].headline == f"Resolved after 13 min: {HEADLINE}"
    assert outbox.sent[0].facts["Attempts"] == "4 of 4 failed in 1 min 10 s"
    assert outbox.sent[0].what_to_do.startswith("Rotate the key")


def test_it_names_its_deployments_by_provider_and_region(runtime: Runtime, outbox: Outbox) -> None:
    """So does each of its calls. The end has the same names, although it has no call of its own."""
    named = "0c5b1f0a-7f0e-4f7b-9a55-0d6b7a1c2e3f"
    ingest_at(
        runtime, accepted(0, named, region="eastus"), *[refused(60 + n, named, region="eastus") for n in range(6)]
    )
    run_until_quiet(runtime, after(70))
    ingest_at(runtime, accepted(130, named, region="eastus"), at=130)
    pass_time(runtime, 200)
    firing, resolved = outbox.sent
    title = "azure/gpt-4o in eastus (0c5b1f0a…)"
    assert (firing.facts["Deployments"], resolved.facts["Deployments"]) == (title, title)
    assert firing.members[0] == f"call-60 · ServiceUnavailableError 401 · {title}"


def test_it_rises_if_calls_are_lost(runtime: Runtime, outbox: Outbox) -> None:
    """Also if their ends come in a later batch."""
    ingest_at(runtime, *[refused(n) for n in range(6)])
    ingest_at(runtime, *[lost(n, failed_on=(FailedOn(deployment_id="d1", provider="azure"),)) for n in range(6)], at=7)
    run_until_quiet(runtime, after(8))
    conditions = [message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS]
    assert [(message.step, message.severity) for message in conditions] == [
        (Step.FIRING, Severity.MEDIUM),
        (Step.FIRING, Severity.HIGH),
    ]
    assert conditions[1].facts["Models"] == "gpt-4o (no other key serves it)"


def test_other_failures_are_an_outage_of_their_own(runtime: Runtime, outbox: Outbox) -> None:
    """It suppresses outages only for as far as their failures are refusals."""
    ingest_at(runtime, *[refused(n) for n in range(10)], at=11)
    ingest_at(runtime, *[attempt(20 + n, status=503) for n in range(10)], at=31)
    pass_time(runtime, 40)
    assert [one[2] for one in sent(outbox)] == [HEADLINE, "Major Service Outage: azure/gpt-4o (d1)"]


def _labels(store: SqlStore) -> dict[str, str]:
    (row,) = (row for row in rows(store, ALERTS) if row.labels.get("scope") == "model")
    return dict(row.labels)


def test_a_model_with_an_outage_beside_its_refusals_is_notified(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The refused credential explains it only as far as its failures are refusals."""
    ingest_at(runtime, *[refused(n, name) for n in range(6) for name in ("d1", "d2")], at=6)
    run_until_quiet(runtime, after(6))
    assert _labels(store)["credential"] == KEY
    assert [one[2] for one in sent(outbox)] == [HEADLINE]

    ingest_at(runtime, *[attempt(20 + n, deployment=name) for n in range(10) for name in ("d3", "d4")], at=30)
    for second in (40, 60):
        pass_time(runtime, second)
    assert "credential" not in _labels(store)
    assert any("model gpt-4o" in one[2] for one in sent(outbox))


def test_a_sibling_that_fails_otherwise_is_not_explained(runtime: Runtime, store: SqlStore) -> None:
    ingest_at(runtime, *[refused(n) for n in range(6)], *[attempt(n, deployment="d2") for n in range(6)], at=6)
    assert "credential" not in _labels(store)


def test_a_key_that_is_accepted_elsewhere_is_not_revoked(runtime: Runtime, outbox: Outbox) -> None:
    """A model may be forbidden to a key that works: that is the deployment's outage."""
    for number in range(12):
        at = number * 30
        ingest_at(runtime, refused(at, status=403), accepted(at + 15, "d2"), at=at + 20)
    run_until_quiet(runtime, after(400))
    assert {one[2] for one in sent(outbox)} == {"Major Service Outage: azure/gpt-4o (d1)"}


def test_clients_keys_and_health_checks_have_no_credential(runtime: Runtime, outbox: Outbox) -> None:
    """The callback leaves the field out for the first, and marks the others."""
    checks = [refused(n, health_check=True) for n in range(20)]
    ingest_at(runtime, *checks, *[attempt(n, origin=Origin.CALLER, status=401) for n in range(20)])
    run_until_quiet(runtime, NOW)
    assert outbox.sent == []


def test_redelivery_and_cutting_change_nothing(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """The sums are the same in any order and in any batches."""
    events: list[Event] = [refused(n, f"d{n % 3}", first=n % 4 > 0) for n in range(30)]
    events += [accepted(-20 - n) for n in range(5)]
    Random(3).shuffle(events)
    batches = [batch(*events[start : start + 3]) for start in range(0, len(events), 3)]
    for one in [*batches, *batches[::2]]:
        ingest(one, runtime, now=after(40))
    run_until_quiet(runtime, after(40))
    assert sum(row.unauthorized for row in rows(store, REFUSALS)) == 22
    (state,) = rows(store, CREDENTIALS)
    assert state.last_success == int(after(-20).timestamp()) // 10 * 10
    assert [one[2] for one in sent(outbox)] == [HEADLINE]


def test_litellm_s_counts_know_no_credentials(runtime: Runtime, outbox: Outbox) -> None:
    """Without a minimum share each deployment has its outage, as in LiteLLM."""
    outages = runtime.policy.outages
    own = replace(outages, deployment=replace(outages.deployment, share=0.0))
    counting = replace(runtime, policy=replace(runtime.policy, outages=own))
    ingest_at(counting, *[refused(n) for n in range(10)])
    run_until_quiet(counting, NOW)
    assert [one[2] for one in sent(outbox)] == ["Major Service Outage: azure/gpt-4o (d1)"]
