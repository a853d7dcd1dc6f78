"""The catalogue holds for every alert that is raised, and stands in the documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import CATALOGUE, COVERED_BY, RELAYED, AlertType
from alertworker.budgets import alert as budgets
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import BudgetState, reached
from alertworker.budgets.user_thresholds import UserCheck, UserPolicy, UserSpend, judge_users
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.detectors import DETECTORS, Policy, llm, relayed
from alertworker.detectors.admin import TYPES
from alertworker.detectors.admin import relayed as relayed_changes
from alertworker.events import (
    AlertRelayed,
    BudgetScope,
    DeploymentCooledDown,
    EntityChanged,
    Event,
    Failure,
    Origin,
)
from alertworker.events.attribution import OWNER_LABELS
from alertworker.folding import Fold, fold
from alertworker.ledger.rows import SpendSums
from alertworker.outages import alert as outages
from alertworker.outages import callers
from alertworker.outages.callers import Suspect
from alertworker.outages.grade import grade
from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket, Calls, Target
from alertworker.pipeline.deliver import _broken
from alertworker.pipeline.publishers import describe_lost, describe_silent
from alertworker.ports.publishers import Host, Lifetime, LostPublisher, SilentHost
from alertworker.reports import REPORTS, Calendar, Report, ReportKind, due
from alertworker.settings import Settings
from alertworker.settings.values import AlertingArgs
from tests.integration.harness import NOW, announced, answered, failed
from tests.integration.test_outages import attempt

POLICY = Policy()
#: Labels that may stand beside those that make two alerts of a type the same: whom calls were for,
#: where a route asks about it; a report's team; a change that names nothing; the place that LiteLLM names; and the
#: alert that covers a copy.
BESIDE = {*OWNER_LABELS, "team_id", "event", *relayed.IDENTIFYING, COVERED_BY}


def folded(*events: Event) -> Fold:
    """Fold events as ingest does."""
    return fold(list(events), slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)


def changed() -> list[EntityChanged]:
    """Make every change that rings somebody, and one of a thing without a name."""
    named = [
        EntityChanged(occurred_at=NOW, entity=entity, action=action, entity_id="x", actor_id="ann")
        for entity, action in TYPES
    ]
    return [*named, named[0].model_copy(update={"entity_id": None})]


def detected() -> Iterable[Alert]:
    """Return what the detectors of `DETECTORS` make of a batch."""
    failure = Failure(error_class="RateLimitError", status_code=429, origin=Origin.PROVIDER, message="slow down")
    cooled = DeploymentCooledDown(occurred_at=NOW, deployment_id="d1", seconds=5, failure=failure)
    unpriced = answered("u", cost_nanos=None, prompt_tokens=10)
    batch = folded(failed("f"), answered("s", 400), cooled, unpriced, *changed())
    apart = replace(POLICY, group_by=frozenset({"team"}))
    for detector in DETECTORS.values():
        yield from detector(batch, POLICY)
        yield from detector(batch, apart)
    yield from (alert for alert, _ in llm.hanging([announced("h", 900)], POLICY))


def judged() -> Iterable[Alert]:
    """Return outages, budgets and users."""
    events = [attempt(n, region="eu") for n in range(20)]
    buckets = [Bucket(0, name, 0, {"503": 10}) for name in ("d1", "d2")]
    for target in (Target("d1"), Target(provider="azure", region="eu")):
        limits = outages.limits_of(target, POLICY.outages)
        verdict = judge(buckets, limits)
        found = grade(verdict, 0, limits)
        assert found is not None
        yield outages.describe(target, verdict, found, Calls(), events, POLICY.outages, kept=None)
    yield callers.describe([Suspect("k1", 8, 8, 20, 0, 2, ("gpt-4o",), ("d1",), 0)], events, {}, is_open=False)
    reading = Reading(NOW, NOW, NOW, NOW, spend_nanos=10, max_nanos=10)
    limit = reached(reading)
    assert limit is not None
    key = BudgetKey(BudgetScope.TEAM, "t1")
    yield budgets.describe(key, BudgetState(reading), limit, now=NOW, zone=ZoneInfo("UTC"))
    user = UserSpend("u1", "ann", 100_000_000_000, 100_000_000_000, 0)
    check = UserCheck(date(2026, 11, 23), NOW, None, ZoneInfo("UTC"))
    yield from judge_users([user], UserPolicy(daily_nanos=1, monthly_nanos=1, anomalies=True), check)


def timed() -> Iterable[Alert]:
    """Return reports, and what the clock raises."""
    types = {ReportKind.DAILY: AlertType.DAILY_REPORTS, ReportKind.FALLBACKS: AlertType.FALLBACK_REPORTS}
    for kind in REPORTS:
        period = due(kind, Calendar(ZoneInfo("UTC")), None, now=NOW)[-1]
        report = Report(kind, types.get(kind, AlertType.SPEND_REPORTS), "spent", period, SpendSums(), SpendSums(), ())
        yield report.alert()
        yield replace(report, team_id="t1").alert()
    host = Host("h", "litellm")
    zone = ZoneInfo("UTC")
    lost = LostPublisher("b1", host, 1, NOW, NOW)
    yield describe_lost(host, [lost], [Lifetime(NOW, NOW)], others=1, kept=0, zone=zone)
    yield describe_silent(SilentHost("h", "litellm", NOW), zone)
    yield _broken("slack", "SLACK_WEBHOOK_URL", DeliveryError("answered 404", Reason.CLIENT_ERROR), now=NOW)


def said() -> Iterable[Alert]:
    """Return alerts of LiteLLM's own alerting: of every type, of an unknown type, and copies of ours."""
    facts = {"Request Model": "gpt-4o", "Provider": "azure", "Team": "search"}
    events = [
        AlertRelayed(occurred_at=NOW, alert_type=alert_type, headline="said", facts=facts)
        for alert_type in (*AlertType, "new")
    ]
    yield from relayed.alerts(folded(*events), (), UserPolicy())
    yield from relayed.alerts(folded(*events), AlertType, UserPolicy())


def test_every_alert_is_identified_by_the_catalogues_labels() -> None:
    """Each label of its type is there, and nothing else but whom and where it was for."""
    raised = [*detected(), *judged(), *timed(), *relayed_changes(changed(), (), POLICY)]

    assert {alert.type for alert in raised} == {
        alert_type for alert_type, spec in CATALOGUE.items() if RELAYED not in spec.identity
    } - {AlertType.STORE_AWAY}
    for alert in raised:
        own = set(CATALOGUE[alert.type].identity)
        assert own <= set(alert.identity) <= own | BESIDE, alert.type


def test_a_relayed_alert_is_identified_by_its_text() -> None:
    """This holds for any type. A type that only LiteLLM raises has it in the catalogue."""
    relayed_alerts = list(said())

    assert {alert.type for alert in relayed_alerts} == set(AlertType)
    for alert in relayed_alerts:
        assert {RELAYED, "what"} <= set(alert.identity) <= {RELAYED, "what", "said"} | BESIDE, alert.type
        spec = CATALOGUE[alert.type]
        assert RELAYED not in spec.identity or set(spec.identity) <= set(alert.identity), alert.type


def test_a_window_is_a_setting() -> None:
    """People can set its name."""
    settings = {*Settings.model_fields, *AlertingArgs.model_fields}

    assert {spec.window for spec in CATALOGUE.values() if spec.window is not None} <= settings


@pytest.mark.parametrize("alert_type", list(AlertType))
def test_the_documents_hold_the_catalogue(alert_type: AlertType) -> None:
    """A row for each type, word for word."""
    spec = CATALOGUE[alert_type]
    cells = (
        f"`{alert_type.value}`",
        "on" if spec.on_by_default else "off",
        spec.severity.value,
        spec.kind.value,
        ", ".join(f"`{label}`" for label in spec.identity) or "–",
        f"`{spec.window}`" if spec.window else "–",
    )
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()

    row = f"| {' | '.join(cells)} |"
    assert row in text.splitlines(), f"docs/configuration.md needs the row {row}"
