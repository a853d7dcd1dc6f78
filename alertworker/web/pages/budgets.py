"""``/budgets``: all budgets, the highest share used first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from alertworker.budgets.alert import name, pace_of, share, spend_text
from alertworker.budgets.readings import Reading
from alertworker.budgets.state import spell_state
from alertworker.web.pages.views import Visit, page


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget: its name, its spend as text and as a share in percent, and its projection in nano-dollars."""

    name: str
    scope: str
    text: str
    share: float | None
    state: str
    own: bool
    reading: Reading
    per_day_nanos: int | None
    at_end_nanos: int | None


def budgets(visit: Visit) -> Response:
    """List budgets."""
    return visit.show("budgets.html", rows=standings(visit))


def standings(visit: Visit) -> list[Budget]:
    """Return all budgets, the highest share used first, and budgets whose period has ended last."""
    found = []
    for key, standing in visit.context.admin.budgets():
        reading = standing.reading
        pace = None if standing.closed else pace_of(reading)
        found.append(
            Budget(
                name(key, reading),
                key.scope,
                spend_text(reading),
                None if standing.closed else share(reading),
                spell_state(standing),
                key.is_own,
                reading,
                pace.per_day_nanos if pace else None,
                pace.at_end_nanos if pace else None,
            )
        )
    return sorted(found, key=lambda one: (one.state == "ended", -(one.share or 0.0), one.name))


ROUTES: Final = (page("/budgets", budgets),)
