"""The states of a notification: every change in every status, and the drawing of them."""

from __future__ import annotations

import re
from pathlib import Path

from alertworker.alerts.message import TEST, TEST_RESOLVED, Step, StepKey
from alertworker.delivery.status import SETTLED, TRANSITIONS, NotificationStatus, StatusChange
from alertworker.delivery.turns import PARTIAL_TURN, URGENT_TURN, USUAL_TURN, turn_of

ROOT = Path(__file__).parents[3]


def test_each_change_happens_in_one_status_and_leads_to_one() -> None:
    """Written out here, and not computed."""
    assert {(change.value, before.value, after.value) for change, (before, after) in TRANSITIONS.items()} == {
        ("deliver", "pending", "sent"),
        ("retry", "pending", "pending"),
        ("give up", "pending", "dead"),
        ("merge", "pending", "merged"),
        ("drop", "pending", "dropped"),
        ("replay", "dead", "pending"),
    }
    assert set(TRANSITIONS) == set(StatusChange)


def test_only_a_pending_notification_is_not_settled() -> None:
    """A message of the same alert waits for it."""
    assert set(SETTLED) == set(NotificationStatus) - {NotificationStatus.PENDING}


def test_the_architecture_page_has_the_table_of_the_code() -> None:
    """A state that the code gets and the page lacks fails here."""
    lines = [f"| {change.value} | {before.value} | {after.value} |" for change, (before, after) in TRANSITIONS.items()]
    table = "\n".join(["| change | before | after |", "|---|---|---|", *lines])

    assert table in (ROOT / "docs" / "architecture.md").read_text()


def test_no_statement_sets_a_status_but_by_the_table() -> None:
    """New rows are pending; `change` sets what the table says."""
    folder = ROOT / "alertworker" / "store"
    setting = re.compile(r"values\(status=|\"status\": [^s]")
    found = {
        (path.name, line.strip())
        for path in folder.rglob("*.py")
        for line in path.read_text().splitlines()
        if setting.search(line)
    }

    assert {line for name, line in found if name != "changes.py"} <= {'"status": NotificationStatus.PENDING,'}
    assert [line for name, line in found if name == "changes.py"] == [
        "return update(NOTIFICATIONS).where(*where, NOTIFICATIONS.c.status == before).values(status=after)"
    ]


def test_a_test_goes_before_all_that_waits_and_a_remainder_after_it() -> None:
    """A person waits for the answer to a test."""
    assert (turn_of(TEST), turn_of(TEST_RESOLVED), turn_of(StepKey(Step.FIRING, 0))) == (0, 0, 1)
    assert URGENT_TURN < USUAL_TURN < PARTIAL_TURN
