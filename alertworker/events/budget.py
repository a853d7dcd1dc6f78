"""The budgets that a call counts against, as its producer reports them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from alertworker.events.base import Moment, Name, Nanos


class BudgetScope(StrEnum):
    """The type of entity that has a budget."""

    KEY = "key"
    TEAM = "team"
    TEAM_MEMBER = "team_member"
    USER = "user"
    CUSTOMER = "customer"
    ORGANIZATION = "organization"
    ORGANIZATION_MEMBER = "organization_member"
    PROJECT = "project"
    TAG = "tag"
    AGENT = "agent"
    MODEL_ACCESS_GROUP = "model_access_group"
    PROXY = "proxy"


class Budget(BaseModel):
    """One budget when the call was authorised, so before this call's own cost.

    ``spend_nanos``, ``max_nanos`` and ``soft_nanos`` are nano-dollars (1e-9 USD); ``duration`` has LiteLLM's form
    ("30d"). ``part`` identifies one of several budgets of an entity: a duration, or a model. ``refused`` means that the
    call was rejected because of this budget.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    scope: BudgetScope
    entity_id: Name
    spend_nanos: Nanos | None = None
    max_nanos: Nanos | None = None
    soft_nanos: Nanos | None = None
    duration: Name | None = None
    reset_at: Moment | None = None
    part: Name | None = None
    refused: bool = False
