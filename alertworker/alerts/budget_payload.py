"""A budget alert for programs: the budget's owner, and every figure as an integer of nano-dollars (1e-9 USD)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from alertworker.events import Attribution


class BudgetEvent(StrEnum):
    """The changes of a budget, by LiteLLM's names."""

    PROJECTED_LIMIT_EXCEEDED = "projected_limit_exceeded"
    SOFT_BUDGET_CROSSED = "soft_budget_crossed"
    THRESHOLD_CROSSED = "threshold_crossed"
    BUDGET_CROSSED = "budget_crossed"
    #: A call of a customer. Its cost is the spend.
    SPEND_TRACKED = "spend_tracked"


class BudgetFigures(BaseModel):
    """One budget at one time.

    ``scope`` is a `BudgetScope`, or a dimension of the ledger for a budget of our own. ``entity_id`` is a key's alias
    or hash, a team's id and so on. ``crossed`` is the share of ``max_nanos`` that was crossed, in per cent, if the
    alert is about a share. Only a key with a soft budget has a projection. It is the spend at the end of the period,
    and the day on which the soft budget is used up. The names identify the owner, as far as it is known.
    """

    model_config = ConfigDict(frozen=True)

    event: BudgetEvent
    scope: str
    entity_id: str
    spend_nanos: int
    max_nanos: int | None = None
    soft_nanos: int | None = None
    crossed: int | None = None
    projected_nanos: int | None = None
    projected_exceeded_on: date | None = None
    reset_at: datetime | None = None
    key_hash: str | None = None
    key_alias: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    customer_id: str | None = None
    organization_id: str | None = None
    #: The addresses in the team's metadata (``soft_budget_alerting_emails``), with any separator.
    alert_emails: str | None = None


#: The fields of `BudgetFigures` that name its owner.
_OWNER: Final = tuple(name for name in BudgetFigures.model_fields if name in Attribution._fields)


def owner_names(owner: Attribution) -> dict[str, str | None]:
    """Return the names of a budget's owner, as fields of `BudgetFigures`."""
    return {name: getattr(owner, name) or None for name in _OWNER}
