"""Budgets, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import Standing


class BudgetPort(Protocol):
    """The state of each budget."""

    def lock_budgets(self, readings: Mapping[BudgetKey, Reading]) -> dict[BudgetKey, Standing]:
        """Give how these budgets stand, locked; one that was never heard of is there, locked, and not given."""
        ...

    def keep_budgets(self, standings: Mapping[BudgetKey, Standing]) -> None:
        """Keep how budgets stand."""
        ...

    def budget(self, key: BudgetKey) -> Standing | None:
        """Give how one budget stands."""
        ...

    def ended_budgets(self, *, limit: int, now: datetime) -> dict[BudgetKey, Standing]:
        """Return budgets whose period has ended and is not closed, locked, at most ``limit``."""
        ...

    def live_budgets(self) -> dict[BudgetKey, Standing]:
        """Give the budgets whose period is not closed."""
        ...

    def forget_budgets(self, *, before: datetime, limit: int) -> dict[BudgetKey, Standing]:
        """Forget budgets without periods that nobody reported since then, at most ``limit``; gives how they stood."""
        ...
