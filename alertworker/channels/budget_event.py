"""The JSON object of a budget event, in the form of LiteLLM's alerting page or in that of LiteLLM 1.106."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.events import BudgetScope
from alertworker.money import dollars_from_nanos

#: The ``event_group`` values of the page's specification that differ from ours.
_PAGE_GROUPS: Final[Mapping[str, str]] = {BudgetScope.USER: "internal_user"}
#: The ``event_group`` values of LiteLLM 1.106 (``Litellm_EntityType``) that differ from ours.
_LITELLM_GROUPS: Final[Mapping[str, str]] = {BudgetScope.CUSTOMER: "end_user"}
#: The page has no event for a soft budget. There, crossing a soft budget is crossing a threshold.
_PAGE_EVENTS: Final = {BudgetEvent.SOFT_BUDGET_CROSSED: BudgetEvent.THRESHOLD_CROSSED}


def page_form(figures: BudgetFigures) -> dict[str, object]:
    """Return the object with the fields and values of LiteLLM's alerting page."""
    shared = _shared(figures)
    return shared | {
        "internal_user_id": figures.user_id,
        "event": _PAGE_EVENTS.get(figures.event, figures.event).value,
        "event_group": _PAGE_GROUPS.get(figures.scope, figures.scope),
        "event_message": _message(figures, amounts=False),
    }


def litellm_form(figures: BudgetFigures) -> dict[str, object]:
    """Return the object with the fields and values that LiteLLM 1.106 sends."""
    return _shared(figures) | {
        "soft_budget": _dollars(figures.soft_nanos),
        "team_alias": figures.team_alias,
        "organization_id": figures.organization_id,
        "event": figures.event.value,
        "event_group": _LITELLM_GROUPS.get(figures.scope, figures.scope),
        "alert_emails": _alert_emails(figures),
        "max_budget_alert_emails": None,
        "event_message": _message(figures, amounts=True),
    }


def _alert_emails(figures: BudgetFigures) -> list[str] | None:
    """Return the addresses that a team names for its soft budget. LiteLLM sends them with no other event."""
    if figures.scope != BudgetScope.TEAM or figures.event is not BudgetEvent.SOFT_BUDGET_CROSSED:
        return None
    return [email.strip() for email in (figures.alert_emails or "").split(",") if email.strip()] or None


def _shared(figures: BudgetFigures) -> dict[str, object]:
    day = figures.projected_exceeded_on
    return {
        "spend": _dollars(figures.spend_nanos),
        "max_budget": _dollars(figures.max_nanos),
        "token": figures.key_hash,
        "customer_id": figures.customer_id,
        "user_id": figures.user_id,
        "team_id": figures.team_id,
        "user_email": figures.user_email,
        "key_alias": figures.key_alias,
        "projected_exceeded_date": day.isoformat() if day else None,
        "projected_spend": _dollars(figures.projected_nanos),
    }


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else float(dollars_from_nanos(nanos))


def _message(figures: BudgetFigures, *, amounts: bool) -> str:
    """Return LiteLLM's text of the event: with ``amounts`` that of its code, without that of its page."""
    if figures.event is BudgetEvent.SPEND_TRACKED:
        return f"Customer spend tracked. Customer={figures.entity_id}, spend={_dollars(figures.spend_nanos)}"
    scope = f"{figures.scope.replace('_', ' ').title()} Budget: "
    if figures.event is BudgetEvent.PROJECTED_LIMIT_EXCEEDED:
        return f"{scope}Projected Limit Exceeded"
    if figures.event is BudgetEvent.SOFT_BUDGET_CROSSED:
        total = f": Total Soft Budget:`{_dollars(figures.soft_nanos)}`" if amounts else ""
        return f"Soft Budget Crossed{total}"
    if figures.event is BudgetEvent.BUDGET_CROSSED:
        total = f"\n Total Budget:`{_dollars(figures.max_nanos)}`" if amounts else ""
        return f"{scope}Budget Crossed{total}"
    return f"{scope}{100 - (figures.crossed or 0)}% or less of budget remaining"
