"""Which waiting messages become one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.delivery.coalescing import Waiting, plan

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def waiting(number: int, step: Step, severity: Severity) -> Waiting:
    message = Message(
        alert_id=str(number),
        type=AlertType.LLM_EXCEPTIONS,
        severity=severity,
        step=step,
        headline=f"failed {number}",
        at=NOW,
        since=NOW,
    )
    return Waiting(str(number), message, NOW)


def test_summaries_of_severity_low_are_one_digest() -> None:
    """Other messages beside them are sent alone."""
    low = [waiting(number, Step.SUMMARY, Severity.LOW) for number in range(3)]
    others = [waiting(3, Step.NOTICE, Severity.LOW), waiting(4, Step.SUMMARY, Severity.HIGH)]
    found = plan([*low, *others], digest_size=50, alert_id="d", now=NOW)

    assert found.digested == ("0", "1", "2")
    assert found.digest is not None
    assert (found.digest.severity, len(found.digest.entries)) == (Severity.LOW, 3)


@pytest.mark.parametrize(("number", "digest_size"), [(1, 50), (3, 0)])
def test_one_summary_and_a_channel_without_digests_have_none(number: int, digest_size: int) -> None:
    """A digest of one message would only hide its facts."""
    low = [waiting(one, Step.SUMMARY, Severity.LOW) for one in range(number)]
    assert not plan(low, digest_size=digest_size, alert_id="d", now=NOW)
