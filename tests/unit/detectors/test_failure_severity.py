"""The severity of a failed call: whether another rule judges the failure decides it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.catalogue import Severity
from alertworker.detectors import Policy
from alertworker.detectors.llm import exceptions
from alertworker.events import EVENT
from alertworker.folding import fold

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
NO_DEPLOYMENT = {"error_class": "RouterRateLimitError", "status_code": 429, "origin": "proxy", "message": ""}


@pytest.mark.parametrize(
    ("failure", "deployment", "expected"),
    [
        ({"error_class": "Timeout", "status_code": 504, "origin": "provider", "message": ""}, "d1", Severity.LOW),
        ({"error_class": "Timeout", "status_code": 504, "origin": "provider", "message": ""}, None, Severity.MEDIUM),
        ({"error_class": "ImportError", "status_code": 500, "origin": "proxy", "message": ""}, "d1", Severity.HIGH),
        ({"error_class": "ImportError", "status_code": 500, "origin": "proxy", "message": ""}, None, Severity.HIGH),
        (NO_DEPLOYMENT, None, Severity.LOW),
    ],
)
def test_the_severity_of_a_failure_depends_on_its_origin_and_deployment(
    failure: dict[str, object], deployment: str | None, expected: Severity
) -> None:
    """An outage judges what a deployment failed. Without deployments, one timeout is not urgent."""
    event = EVENT.validate_python(
        {
            "type": "llm.request.failed",
            "call_id": "c1",
            "started_at": NOW - timedelta(seconds=1),
            "ended_at": NOW,
            "model_group": "gpt-4o",
            "deployment_id": deployment,
            "failure": failure,
        }
    )
    [alert] = exceptions(fold([event], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW), Policy())
    assert alert.severity is expected
