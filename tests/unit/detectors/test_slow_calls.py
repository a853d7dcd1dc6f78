"""The headline of slow calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import RELAYED, AlertKind, AlertType, Severity
from alertworker.detectors import Policy
from alertworker.detectors.llm import summarize_slow, too_slow
from alertworker.events import EVENT, RequestSucceeded
from alertworker.folding import fold

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
POLICY = Policy(threshold_seconds=300)
SLOW = OpenAlert(
    id="1",
    type=AlertType.LLM_TOO_SLOW,
    severity=Severity.LOW,
    kind=AlertKind.NOTICE,
    headline="Responses are slow - 312.00s response time > Alerting threshold: 300s (gpt-4o)",
    labels={"model": "gpt-4o"},
    first_at=NOW,
    last_at=NOW,
    count=66,
    notified_count=1,
    summaries=1,
)


def test_a_notice_has_the_slowest_response_time() -> None:
    """The words are LiteLLM's, for filters."""
    fields = {"type": "llm.request.succeeded", "call_id": "c", "model_group": "gpt-4o"}
    calls = [
        EVENT.validate_python(fields | {"started_at": f"2026-11-23T14:0{at}:00Z", "ended_at": "2026-11-23T14:09:00Z"})
        for at in (2, 3)
    ]
    assert all(isinstance(call, RequestSucceeded) for call in calls)
    (alert,) = too_slow(fold(calls, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW), POLICY)
    assert alert.headline == "Responses are slow - 420.00s response time > Alerting threshold: 300s (gpt-4o)"


def test_a_summary_has_no_single_response_time() -> None:
    """Its headline is composed of labels and the policy."""
    summed = summarize_slow(replace(SLOW, headline="anything"), POLICY)
    assert summed.headline == "Responses are slow - 65 response times > Alerting threshold: 300s (gpt-4o)"


@pytest.mark.parametrize("alert", [replace(SLOW, notified_count=65), replace(SLOW, labels={RELAYED: "litellm"})])
def test_other_summaries_keep_their_headline(alert: OpenAlert) -> None:
    """They are about one call, or about LiteLLM's own alert."""
    assert summarize_slow(alert, POLICY) == alert
