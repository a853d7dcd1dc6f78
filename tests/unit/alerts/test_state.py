"""The states of an alert: every change in every state, and the drawing of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from alertworker.alerts.state import TRANSITIONS, AlertChange, AlertState, state_after, state_of

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"
FIRING, ACKNOWLEDGED, SUPPRESSED, CLOSED = (
    AlertState.FIRING,
    AlertState.ACKNOWLEDGED,
    AlertState.SUPPRESSED,
    AlertState.CLOSED,
)
#: The state after each change of no alert, and of a firing, an acknowledged, a suppressed and a closed one.
BEFORE = (None, FIRING, ACKNOWLEDGED, SUPPRESSED, CLOSED)
AFTER = {
    AlertChange.RAISED: (FIRING, None, None, None, None),
    AlertChange.COUNTED: (None, FIRING, ACKNOWLEDGED, SUPPRESSED, None),
    AlertChange.ROSE: (None, FIRING, FIRING, SUPPRESSED, None),
    AlertChange.SUPPRESSED: (None, SUPPRESSED, None, SUPPRESSED, None),
    AlertChange.NOTIFIED: (None, FIRING, ACKNOWLEDGED, FIRING, None),
    AlertChange.ACKNOWLEDGED: (None, ACKNOWLEDGED, ACKNOWLEDGED, SUPPRESSED, None),
    AlertChange.CLOSED: (None, CLOSED, CLOSED, CLOSED, None),
}


@pytest.mark.parametrize(("before", "change"), list(product(BEFORE, AlertChange)))
def test_each_change_in_each_state_leads_to_one_state_or_does_not_happen(
    before: AlertState | None, change: AlertChange
) -> None:
    """Written out here, and not computed."""
    assert state_after(before, change) == AFTER[change][BEFORE.index(before)]


def test_an_acknowledgement_outlasts_a_suppression() -> None:
    """A person acknowledged the alert on its page, before anybody was notified."""
    assert state_after(SUPPRESSED, AlertChange.NOTIFIED, acknowledged=True) is ACKNOWLEDGED
    assert state_after(SUPPRESSED, AlertChange.COUNTED, acknowledged=True) is SUPPRESSED
    assert state_after(FIRING, AlertChange.CLOSED, acknowledged=True) is CLOSED


@pytest.mark.parametrize(
    ("is_open", "is_suppressed", "is_acknowledged", "state"),
    [
        (True, False, False, FIRING),
        (True, False, True, ACKNOWLEDGED),
        (True, True, False, SUPPRESSED),
        (True, True, True, SUPPRESSED),
        (False, False, True, CLOSED),
    ],
)
def test_a_rows_columns_stand_for_one_state(
    is_open: bool, is_suppressed: bool, is_acknowledged: bool, state: AlertState
) -> None:
    """A suppression hides an acknowledgement, as lists and pages show it."""
    assert state_of(is_open=is_open, is_suppressed=is_suppressed, is_acknowledged=is_acknowledged) is state


def test_the_architecture_page_has_the_table_of_the_code() -> None:
    """A state that the code gets and the page lacks fails here."""
    lines = [["change", *("no alert" if state is None else state.value for state in BEFORE[:-1])], ["---"] * 5]
    for change, after in TRANSITIONS.items():
        lines.append([change.value, *(after[state].value if state in after else "–" for state in BEFORE[:-1])])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace(" --- ", "---")

    assert table in ARCHITECTURE.read_text()
