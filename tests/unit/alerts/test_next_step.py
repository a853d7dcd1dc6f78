"""The sweep's next step for an alert that is due: the first rule that applies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import CATALOGUE, RELAYED, AlertKind, AlertType, Severity
from alertworker.alerts.next_step import NextStep, next_step
from alertworker.alerts.suppression import Suppression, SuppressionReason

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SILENCED = Suppression(SuppressionReason.SILENCE, "s1")
HANGING, NOTICE, BUDGET = AlertType.LLM_REQUESTS_HANGING, AlertType.LLM_EXCEPTIONS, AlertType.BUDGET_ALERTS
COOLDOWN = AlertType.COOLDOWN_DEPLOYMENT
OUTAGE, REGION, BROKEN = AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS, AlertType.CHANNEL_BROKEN
LOST = AlertType.PUBLISHER_LOST
#: More came since the last message; a reminder is due; it is due a second later.
MORE: dict[str, Any] = {"count": 3}
DUE: dict[str, Any] = {"repeat_at": NOW}
LATER: dict[str, Any] = {"repeat_at": NOW + timedelta(seconds=1)}


def alert(alert_type: AlertType, **other: Any) -> OpenAlert:
    """Make an alert with two occurrences that messages have counted."""
    kind = AlertKind.NOTICE if RELAYED in other.get("labels", {}) else CATALOGUE[alert_type].kind
    own = {
        "id": "1",
        "kind": kind,
        "severity": Severity.HIGH,
        "headline": "h",
        "labels": {},
        "facts": {},
        "metadata": {},
    }
    moments = {"first_at": NOW, "last_at": NOW}
    return OpenAlert(type=alert_type, **{**own, "count": 2, "notified_count": 2, "summaries": 1, **moments, **other})


@pytest.mark.parametrize(
    ("due", "step"),
    [
        (alert(HANGING, running=0), NextStep.RESOLVE),
        (alert(HANGING, running=0, suppression=SILENCED, **MORE), NextStep.RESOLVE),
        (alert(HANGING, running=1, suppression=SILENCED, **MORE), NextStep.NOTIFY_FIRING),
        (alert(OUTAGE, suppression=SILENCED, **DUE), NextStep.NOTIFY_FIRING),
        (alert(HANGING, running=1, **MORE, **DUE), NextStep.SUMMARIZE),
        (alert(NOTICE, **MORE), NextStep.SUMMARIZE),
        (alert(BUDGET, **MORE, **DUE), NextStep.SUMMARIZE),
        (alert(NOTICE), NextStep.CHECK_LATER),
        (alert(NOTICE, last_at=NOW - timedelta(hours=1)), NextStep.CLOSE),
        (alert(COOLDOWN, **MORE), NextStep.WAIT),
        (alert(COOLDOWN, count=7), NextStep.SUMMARIZE),
        (alert(COOLDOWN, count=7, last_at=NOW - timedelta(minutes=1)), NextStep.WAIT),
        (alert(COOLDOWN, **MORE, last_at=NOW - timedelta(minutes=5)), NextStep.CHECK_LATER),
        (alert(COOLDOWN, **MORE, last_at=NOW - timedelta(hours=1)), NextStep.CLOSE),
        (alert(NOTICE, **DUE), NextStep.CHECK_LATER),
        (alert(HANGING, labels={RELAYED: "litellm"}), NextStep.CLOSE),
        (alert(OUTAGE, labels={RELAYED: "litellm"}, **MORE), NextStep.CLOSE),
        (alert(BUDGET, **DUE), NextStep.REMIND_OF_BUDGET),
        (alert(OUTAGE, **MORE, **DUE), NextStep.REMIND_OF_OUTAGE),
        (alert(REGION, **DUE), NextStep.REMIND_OF_OUTAGE),
        (alert(BROKEN, **DUE), NextStep.REMIND),
        (alert(LOST, **MORE), NextStep.CHECK_LATER),
        (alert(LOST, **DUE), NextStep.REMIND),
        (alert(LOST, kind=AlertKind.NOTICE), NextStep.CLOSE),
        (alert(HANGING, running=1, **DUE), NextStep.REMIND),
        (alert(OUTAGE, **MORE, **LATER), NextStep.CHECK_LATER),
        (alert(BUDGET, **LATER), NextStep.CHECK_LATER),
        (alert(BROKEN), NextStep.CHECK_LATER),
    ],
)
def test_the_first_rule_that_applies_names_the_step(due: OpenAlert, step: NextStep) -> None:
    """The executor of the sweep only looks it up."""
    assert next_step(due, NOW) is step


@pytest.mark.parametrize(
    ("due", "step"),
    [
        (alert(NOTICE, **MORE), NextStep.WAIT),
        (alert(NOTICE, **MORE, notified_at=NOW - timedelta(hours=4)), NextStep.CHECK_LATER),
        (alert(NOTICE, **MORE, last_at=NOW - timedelta(hours=1)), NextStep.CLOSE),
        (alert(NOTICE, suppression=SILENCED, **MORE), NextStep.NOTIFY_FIRING),
    ],
)
def test_occurrences_that_may_be_chance_wait_for_more(due: OpenAlert, step: NextStep) -> None:
    """They wait for at most as long as the longest interval between summaries."""
    assert next_step(due, NOW, is_explained=True) is step


QUIET = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("due", "step"),
    [
        (alert(NOTICE, count=7, first_at=QUIET, last_at=QUIET), NextStep.SUMMARIZE),
        (alert(NOTICE, count=6, first_at=QUIET, last_at=QUIET), NextStep.WAIT),
        (alert(NOTICE, count=7, first_at=QUIET, last_at=QUIET + timedelta(seconds=1)), NextStep.WAIT),
        (alert(NOTICE, count=7, first_at=NOW - timedelta(minutes=30), last_at=QUIET, summaries=3), NextStep.WAIT),
        (alert(NOTICE, count=7, first_at=NOW - timedelta(minutes=31), last_at=QUIET, summaries=3), NextStep.SUMMARIZE),
        (alert(NOTICE), NextStep.CHECK_LATER),
        (alert(NOTICE, last_at=NOW - timedelta(hours=1)), NextStep.CLOSE),
    ],
    ids=["it has ended", "too few", "it goes on", "too many messages", "later", "nothing more", "long ago"],
)
def test_trouble_that_has_ended_is_summed_up_early(due: OpenAlert, step: NextStep) -> None:
    """A summary of High that comes an hour later would be about nothing that anybody can still mend."""
    assert next_step(due, NOW, is_early=True) is step
