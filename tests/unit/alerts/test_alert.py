"""Fingerprints: rows are found by them, so the same identity has the same one in every version."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.alert import Alert, fingerprint_of
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.compose import compose
from alertworker.alerts.message import Step
from alertworker.budgets import alert as budgets
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import BudgetState, reached
from alertworker.events import AttemptFailed, BudgetScope, Failure, Origin
from alertworker.outages import alert as outages
from alertworker.outages.grade import Grade
from alertworker.outages.policy import OutagePolicy
from alertworker.outages.verdict import Threshold, WindowVerdict
from alertworker.outages.windows import Calls, Target

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_fingerprint_never_changes() -> None:
    """The order of labels does not matter; where one ends and the next begins does."""
    found = fingerprint_of(AlertType.LLM_TOO_SLOW, {"model": "gpt-4o", "deployment": "d1"})

    assert found == fingerprint_of(AlertType.LLM_TOO_SLOW, {"deployment": "d1", "model": "gpt-4o"})
    assert found == "d089db496d748390d60e57edc5d5b252"
    assert fingerprint_of(AlertType.UNKNOWN, {"ab": "c"}) != fingerprint_of(AlertType.UNKNOWN, {"a": "bc"})


@pytest.mark.parametrize("target", [Target(deployment_id="d1"), Target(provider="azure", region="eu")])
def test_an_outage_is_found_by_its_target(target: Target) -> None:
    """The sweep looks for the alert that was raised."""
    failure = Failure(error_class="InternalServerError", status_code=503, origin=Origin.PROVIDER)
    event = AttemptFailed(call_id="c", started_at=NOW, occurred_at=NOW, deployment_id="d1", failure=failure)
    verdict = WindowVerdict(Threshold.MINOR, failed=5, calls=5, causes={"503": 5}, failures={"d1": (5, 5)})
    minor = Grade(is_major=False, is_high=False)

    raised = outages.describe(target, verdict, minor, Calls(), [event], OutagePolicy(), kept=None)

    assert outages.fingerprint(target) == raised.fingerprint


def test_a_budgets_alert_is_found_by_its_key_and_period() -> None:
    """Without the figures that it was raised with."""
    key, reading = BudgetKey(BudgetScope.TEAM, "t1"), Reading(NOW, NOW, NOW, NOW, spend_nanos=10, max_nanos=10)
    limit = reached(reading)
    assert limit is not None

    raised = budgets.describe(key, BudgetState(reading), limit, now=NOW, zone=ZoneInfo("UTC"))

    assert budgets.fingerprint(key, BudgetState(reading)) == raised.fingerprint


def test_an_alert_that_no_store_has_can_be_composed() -> None:
    """A preview has the labels, facts and fingerprint of the alert."""
    alert = Alert(
        AlertType.SPEND_REPORTS, Severity.LOW, {"report": "spend"}, "Spent", NOW, NOW, facts={"Spend": "$1"}, count=3
    )

    message = compose(alert.subject("preview"), Step.NOTICE, at=NOW)

    assert (message.alert_id, message.headline, message.facts) == ("preview", "Spent", {"Spend": "$1"})
    assert (message.count, message.total, message.labels) == (3, 3, {"report": "spend"})
    assert message.fingerprint == alert.fingerprint
