"""The use of a budget, as commands and pages show it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alertworker.budgets.readings import Reading
from alertworker.budgets.state import BudgetState, BudgetUse, spell_state, use_of

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def state(spend: int, maximum: int | None = 100, *, soft: int | None = None, closed: bool = False) -> BudgetState:
    """Return the state of a budget in nano-dollars."""
    reading = Reading(NOW, NOW, NOW, NOW, spend_nanos=spend, max_nanos=maximum, soft_nanos=soft)
    return BudgetState(reading, closed=closed)


@pytest.mark.parametrize(
    ("budget", "use", "text"),
    [
        (state(84), BudgetUse.OPEN, "open"),
        (state(60, soft=50), BudgetUse.SOFT_BUDGET, "soft budget"),
        (state(85, soft=50), BudgetUse.SHARE, "85 %"),
        (state(99), BudgetUse.SHARE, "95 %"),
        (state(100), BudgetUse.USED_UP, "100 %"),
        (state(0, 0), BudgetUse.USED_UP, "100 %"),
        (state(100, None), BudgetUse.OPEN, "open"),
        (state(100, closed=True), BudgetUse.ENDED, "ended"),
    ],
)
def test_the_highest_limit_decides(budget: BudgetState, use: BudgetUse, text: str) -> None:
    """A budget that has ended is only ended. The texts are part of the command's JSON."""
    assert (use_of(budget), spell_state(budget)) == (use, text)
