"""A message about several calls shows no fact of one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alertworker.alerts.aggregate import with_common_facts
from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import RELAYED, TRACE, AlertType, Severity
from alertworker.alerts.message import Step

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
FACTS = {
    "Request Model": "gpt-4o",
    "Key Name": "app",
    "Team": "search",
    TRACE: "https://t",
    "Messages": "x",
    "Error": "boom",
}
ALERT = Subject(
    id="1",
    type=AlertType.LLM_EXCEPTIONS,
    severity=Severity.LOW,
    headline="failed",
    labels={},
    first_at=NOW,
    last_at=NOW,
    facts=FACTS,
    count=66,
    notified_count=1,
)


def test_facts_of_one_call_are_left_out_or_named_as_an_example() -> None:
    """The key, the prompt and the trace differ from call to call; the team may not."""
    found = with_common_facts(ALERT, Step.SUMMARY, {"search": 60, "billing": 5}).facts
    assert found == {"Request Model": "gpt-4o", "Example error": "boom"}
    assert with_common_facts(ALERT, Step.SUMMARY, {"search": 65}).facts["Team"] == "search"


@pytest.mark.parametrize(
    ("alert", "step"),
    [
        (replace(ALERT, notified_count=65), Step.SUMMARY),
        (replace(ALERT, type=AlertType.BUDGET_ALERTS), Step.SUMMARY),
        (replace(ALERT, labels={RELAYED: "litellm"}), Step.SUMMARY),
        (replace(ALERT, type=AlertType.LLM_REQUESTS_HANGING, count=1, notified_count=0), Step.FIRING),
    ],
)
def test_other_messages_keep_all_facts(alert: Subject, step: Step) -> None:
    """They are about one call, or their facts are not those of a call."""
    assert with_common_facts(alert, step, {}).facts == FACTS
