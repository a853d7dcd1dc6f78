"""Reports of budgets by a LiteLLM proxy's own alerting. No logic, no IO."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alertworker.events.admin import KeylessName, KeylessText
from alertworker.events.attribution import Attribution
from alertworker.events.base import FIRST_FAULT, Event, Nanos
from alertworker.events.budget import BudgetScope


class BudgetReported(Event):
    """LiteLLM reported a budget to its ``WEBHOOK_URL``.

    ``event`` is LiteLLM's name ("budget_crossed", "threshold_crossed", "soft_budget_crossed",
    "projected_limit_exceeded", "spend_tracked", …). ``scope`` and ``entity_id`` identify the owner of the budget, a key
    by its hash. Amounts are nano-dollars. ``projected_exceeded_date`` is LiteLLM's own string.
    """

    type: Literal["litellm.budget.reported"] = "litellm.budget.reported"
    event: KeylessName
    scope: BudgetScope
    entity_id: KeylessName
    message: KeylessText = ""
    spend_nanos: Nanos | None = None
    max_nanos: Nanos | None = None
    soft_nanos: Nanos | None = None
    projected_spend_nanos: Nanos | None = None
    projected_exceeded_date: KeylessName | None = None
    key_hash: KeylessName | None = None
    key_alias: KeylessName | None = None
    team_id: KeylessName | None = None
    team_alias: KeylessName | None = None
    user_id: KeylessName | None = None
    user_email: KeylessName | None = None
    customer_id: KeylessName | None = None
    organization_id: KeylessName | None = None
    alert_emails: Annotated[tuple[KeylessName, ...], FIRST_FAULT, Field(max_length=32)] = ()
    source_host: KeylessName | None = None

    @property
    def attribution(self) -> Attribution:
        """The owners that the report names."""
        return Attribution(
            team_id=self.team_id or "",
            team_alias=self.team_alias or "",
            key_hash=self.key_hash or "",
            key_alias=self.key_alias or "",
            user_id=self.user_id or "",
            user_email=self.user_email or "",
            customer_id=self.customer_id or "",
            organization_id=self.organization_id or "",
            alert_emails=",".join(self.alert_emails),
        )
