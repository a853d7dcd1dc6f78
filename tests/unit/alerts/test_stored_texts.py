"""The texts in rows equal those of the previous version, and a newer version's are safe to read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import TEST, TEST_RESOLVED, Entry, Message, Step, StepKey
from alertworker.alerts.stored import StoredReader
from alertworker.alerts.suppression import Suppression, SuppressionReason
from alertworker.budgets.readings import BudgetKey
from alertworker.events import BudgetScope

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
ENTRY: dict[str, Any] = {"alert_id": "2", "severity": "Low", "headline": "h", "count": 1}


@pytest.mark.parametrize(
    ("suppression", "text"),
    [
        (Suppression(SuppressionReason.SILENCE, "7"), "silence 7"),
        (Suppression(SuppressionReason.ALERT, "7"), "alert 7"),
        (Suppression(SuppressionReason.COVERED, "callback"), "covered by callback"),
        (Suppression(SuppressionReason.HELD, "2026-11-23T14:02:41+00:00"), "held until 2026-11-23T14:02:41+00:00"),
        (Suppression(SuppressionReason.RISING, "2026-11-23T14:02:21+00:00"), "rising until 2026-11-23T14:02:21+00:00"),
        (Suppression(SuppressionReason.TIME), "time"),
        (Suppression(SuppressionReason.NO_ROUTE), "no route"),
        (Suppression(SuppressionReason.NOT_TAKEN), "not taken by its channels"),
        (Suppression(SuppressionReason.OTHER, "quota of 7"), "quota of 7"),
    ],
)
def test_a_suppression_has_the_text_of_the_version_before(suppression: Suppression, text: str) -> None:
    """Both versions read and write the column while they overlap."""
    assert str(suppression) == text
    assert Suppression.parse(text) == suppression


def test_only_a_held_alert_has_a_time_at_which_that_ends() -> None:
    """The time is a value for the pages, which show it in the configured zone."""
    held = Suppression.parse("held until 2026-11-23T14:02:11+00:00")
    assert (held, held.until) == (Suppression.held(NOW), NOW)
    assert Suppression(SuppressionReason.SILENCE, "2026-11-23T14:02:11+00:00").until is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (StepKey(Step.FIRING, 3), "firing:3"),
        (StepKey(Step.RESOLVED, 12), "resolved:12"),
        (StepKey(Step.DIGEST), "digest"),
        (StepKey(Step.TRACKED), "tracked"),
        (TEST, "test"),
        (TEST_RESOLVED, "test:resolved"),
    ],
)
def test_a_step_has_the_text_of_the_version_before(key: StepKey, text: str) -> None:
    """It is part of a unique key, so two versions must not write two texts for one message."""
    assert str(key) == text
    assert StepKey.parse(text) == key


@pytest.mark.parametrize("text", ["escalation:1", "test:escalation", ""])
def test_a_step_of_a_newer_version_is_none_that_is_known(text: str) -> None:
    """It is shown as it is stored."""
    assert StepKey.parse(text) is None


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (BudgetKey("tag", "nightly run", "month"), ("own tag month", "nightly run")),
        (BudgetKey("key", "app", "30d"), ("own key 30d", "app")),
        (BudgetKey(BudgetScope.TEAM, "t1"), ("team", "t1")),
        (BudgetKey("project of a newer version", "p1"), ("project of a newer version", "p1")),
    ],
)
def test_a_budget_has_the_name_of_the_version_before(key: BudgetKey, stored: tuple[str, str]) -> None:
    """It identifies a row, and stands in the fingerprint of the alert."""
    assert key.stored == stored
    assert BudgetKey.parse(*stored) == key


def message(**other: Any) -> str:
    """Return a message as it is stored, with some values in the place of its own."""
    known = Message(
        alert_id="1",
        type=AlertType.LLM_EXCEPTIONS,
        severity=Severity.LOW,
        step=Step.FIRING,
        headline="h",
        at=NOW,
        since=NOW,
    )
    return json.dumps({**json.loads(known.model_dump_json()), **other})


def test_a_message_of_this_version_is_read_as_it_is() -> None:
    """No value is counted as unknown."""
    stored = StoredReader()
    read = stored.message(message())

    assert (read.type, read.severity, read.step) == (AlertType.LLM_EXCEPTIONS, Severity.LOW, Step.FIRING)
    assert stored.unknown == []


@pytest.mark.parametrize(
    ("values", "read", "unknown"),
    [
        ({"type": "quota_alerts"}, {"type": AlertType.UNKNOWN}, "alert type quota_alerts"),
        ({"severity": "Critical"}, {"severity": Severity.HIGH}, "severity Critical"),
        ({"step": "escalation"}, {"step": Step.NOTICE}, "step escalation"),
        ({"figures": {"event": "quota_crossed"}}, {"figures": None}, "BudgetFigures"),
        (
            {"tables": [{"title": "t", "columns": [{"name": "c", "unit": "tokens"}], "rows": []}]},
            {"tables": ()},
            "Table",
        ),
        ({"chart": {"title": "t"}}, {"chart": None}, "Chart"),
        (
            {"entries": [{**ENTRY, "type": "quota_alerts", "step": "firing"}]},
            {"entries": (Entry(**ENTRY, type=AlertType.UNKNOWN, step=Step.FIRING),)},
            "alert type quota_alerts",
        ),
    ],
)
def test_unknown_values_of_a_newer_version_are_replaced_and_named(
    values: dict[str, Any], read: dict[str, Any], unknown: str
) -> None:
    """The message is still sent."""
    stored = StoredReader()
    found = stored.message(message(**values))

    assert {name: getattr(found, name) for name in read} == read
    assert (found.headline, stored.unknown) == ("h", [unknown])


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"type": "llm_exceptions"}'])
def test_a_row_that_is_not_a_message_of_any_version_is_refused(text: str) -> None:
    """The error is always a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        StoredReader().message(text)
