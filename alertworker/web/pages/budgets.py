"""``/budgets``: all budgets, the highest share used first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from alertworker.budgets.alert import name, pace_of, share, spend_text
from alertworker.budgets.readings import Reading
from alertworker.budgets.state import BudgetUse, spell_state, use_of
from alertworker.web.pages.views import Visit, page

#: How many budgets are listed whose period has ended.
_MOST_ENDED: Final = 100
#: The text of a state on this page, where it is not that of the command, and its look.
_TEXTS: Final[Mapping[BudgetUse, str]] = {BudgetUse.OPEN: "within limit", BudgetUse.USED_UP: "used up"}
_LOOKS: Final[Mapping[BudgetUse, str]] = {BudgetUse.OPEN: "ok", BudgetUse.USED_UP: "problem", BudgetUse.ENDED: ""}


@dataclass(frozen=True, slots=True)
class BudgetEntry:
    """One budget: its name, its spend as text and as a share in percent, and its projection in nano-dollars."""

    name: str
    scope: str
    text: str
    share: float | None
    use: BudgetUse
    state: str
    own: bool
    reading: Reading
    per_day_nanos: int | None
    at_end_nanos: int | None

    @property
    def css_class(self) -> str:
        """The CSS class of the state."""
        return _LOOKS.get(self.use, "note")


def budgets(visit: Visit) -> Response:
    """List budgets."""
    return visit.show("budgets.html", rows=budget_rows(visit))


def budget_rows(visit: Visit, *, ended: int = _MOST_ENDED) -> list[BudgetEntry]:
    """Return budgets, the highest share used first, and those whose period has ended last."""
    found = []
    for key, state in visit.context.admin.budgets(ended=ended):
        reading, use = state.reading, use_of(state)
        pace = None if state.closed else pace_of(reading)
        found.append(
            BudgetEntry(
                name(key, reading),
                key.scope,
                spend_text(reading),
                None if state.closed else share(reading),
                use,
                _TEXTS.get(use) or spell_state(state),
                key.is_own,
                reading,
                pace.per_day_nanos if pace else None,
                pace.at_end_nanos if pace else None,
            )
        )
    return sorted(found, key=lambda one: (one.use is BudgetUse.ENDED, -(one.share or 0.0), one.name))


ROUTES: Final = (page("/budgets", budgets),)
