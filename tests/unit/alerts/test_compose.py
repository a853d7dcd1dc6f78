"""How a message names and counts the occurrences of its alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.compose import compose
from alertworker.alerts.message import Step
from alertworker.channels.plain_text import count_of

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
OUTAGE = Subject(
    id="1",
    type=AlertType.OUTAGE_ALERTS,
    severity=Severity.HIGH,
    headline="Major Service Outage: azure/gpt-4o",
    labels={},
    first_at=NOW,
    last_at=NOW,
    facts={"Attempts": "5 of 5 failed in 14 s"},
    count=5,
)
CALLS = ("c1 · search", "c1 · search", "c1 · search", "c2 · billing")


def test_a_call_that_failed_on_several_deployments_is_one_line() -> None:
    """The others are still counted by attempts."""
    message = compose(OUTAGE, Step.FIRING, CALLS, at=NOW)

    assert (message.members, message.members_more) == (("c1 · search ×3", "c2 · billing"), 1)


@pytest.mark.parametrize("step", [Step.REMINDER, Step.RESOLVED])
def test_a_reminder_and_the_end_of_an_outage_name_no_old_calls(step: Step) -> None:
    """The first calls since the last message are up to four hours old. A lost proxy still names its calls."""
    message = compose(OUTAGE, step, CALLS, at=NOW)
    lost = compose(replace(OUTAGE, type=AlertType.PUBLISHER_LOST), step, CALLS, at=NOW)

    assert (message.members, message.members_more) == ((), 0)
    assert lost.members


def test_an_outage_has_one_number_of_failures() -> None:
    """Its facts count attempts; "5 times" beside them, or beside lost calls, says nothing more."""
    assert count_of(compose(OUTAGE, Step.FIRING, at=NOW)) == "Since 2026-11-23 14:02:11 UTC"
    assert count_of(compose(replace(OUTAGE, facts={}), Step.FIRING, at=NOW)) == "5 times since 2026-11-23 14:02:11 UTC"
