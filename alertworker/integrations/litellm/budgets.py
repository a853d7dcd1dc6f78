"""The budgets a call counts against, as LiteLLM read them when it authenticated the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from alertworker.events import BudgetScope
from alertworker.integrations.litellm.coerce import key_hash, moment, name, nanos

#: LiteLLM's ``entity_type`` of an error, with our scope for each.
_SCOPES: Final = {scope.value: scope for scope in BudgetScope} | {"end_user": BudgetScope.CUSTOMER}
#: How LiteLLM's message names one budget of a key, team or user that has several.
_PART: Final = re.compile(r" over (\w{1,32}) budget\b| exceeded budget for model=(.+)\Z")


def budgets(caller: Any, metadata: Mapping[str, Any], customer_id: str | None) -> list[dict[str, Any]]:
    """Return a mapping for each budget that has a limit. Its spend is from before the call.

    ``caller`` is LiteLLM's ``UserAPIKeyAuth``. ``metadata`` is the call's: after an authentication against the
    database it also holds reset times and the organization's figures.
    """
    team, user, organization = (getattr(caller, key, None) for key in ("team_id", "user_id", "org_id"))
    key = key_hash(getattr(caller, "api_key", None)) or key_hash(metadata.get("user_api_key_hash"))

    def given(attribute: str, label: str) -> Any:
        value = getattr(caller, attribute, None)
        return metadata.get(label) if value is None else value

    found = [
        _budget(
            BudgetScope.KEY,
            key,
            given("spend", "user_api_key_spend"),
            given("max_budget", "user_api_key_max_budget"),
            soft=getattr(caller, "soft_budget", None),
            duration=getattr(caller, "budget_duration", None),
            reset_at=given("budget_reset_at", "user_api_key_budget_reset_at"),
        ),
        _budget(
            BudgetScope.TEAM,
            team,
            given("team_spend", "user_api_key_team_spend"),
            given("team_max_budget", "user_api_key_team_max_budget"),
            soft=getattr(caller, "team_soft_budget", None),
            reset_at=metadata.get("user_api_key_team_budget_reset_at"),
        ),
        _budget(
            BudgetScope.USER,
            user,
            given("user_spend", "user_api_key_user_spend"),
            given("user_max_budget", "user_api_key_user_max_budget"),
            reset_at=metadata.get("user_api_key_user_budget_reset_at"),
        ),
        _budget(
            BudgetScope.ORGANIZATION,
            organization,
            metadata.get("user_api_key_org_spend"),
            given("organization_max_budget", "user_api_key_org_max_budget"),
        ),
        _budget(
            BudgetScope.CUSTOMER,
            customer_id,
            None,
            given("end_user_max_budget", "user_api_end_user_max_budget"),
        ),
    ]
    return [budget for budget in found if budget is not None]


def with_refusal(error: BaseException, known: list[dict[str, Any]], caller: Any) -> list[dict[str, Any]]:
    """Return the call's budgets, with the one in LiteLLM's ``BudgetExceededError`` marked as refused.

    LiteLLM also refuses calls because of budgets that no call carries: those of projects, tags and team members, and
    further ones of a key or team, for a day or for a model.
    """
    scope = _SCOPES.get(getattr(error, "entity_type", None) or "")
    spend, limit = nanos(getattr(error, "current_cost", None)), nanos(getattr(error, "max_budget", None))
    if scope is None or spend is None or limit is None:
        return known
    found = _PART.search(str(error))
    part = name(found[1] or found[2]) if found else None
    same = [budget for budget in known if budget["scope"] is scope and part is None]
    for budget in same:
        if budget["max_nanos"] == limit:
            budget |= {"spend_nanos": max(spend, budget["spend_nanos"] or 0), "refused": True}
            return known
    if same:
        part = "another budget"
    named = getattr(error, "entity_id", None)
    entity = key_hash(named) if scope is BudgetScope.KEY else name(named)
    refused = {"scope": scope, "entity_id": entity or scope.value, "spend_nanos": spend, "max_nanos": limit}
    return [*known, refused | {"part": part, "refused": True, "reset_at": _window_end(caller, scope, part)}]


def _window_end(caller: Any, scope: BudgetScope, part: str | None) -> datetime | None:
    """Return when a further budget of a key resets. LiteLLM does not report this for a team."""
    windows = getattr(caller, "budget_limits", None) if scope is BudgetScope.KEY and part is not None else None
    for window in windows if isinstance(windows, list) else ():
        fields = window if isinstance(window, Mapping) else getattr(window, "__dict__", {})
        if fields.get("budget_duration") == part:
            return moment(fields.get("reset_at"))
    return None


def _budget(
    scope: BudgetScope,
    entity: object,
    spend: object,
    limit: object,
    *,
    soft: object = None,
    duration: object = None,
    reset_at: object = None,
) -> dict[str, Any] | None:
    if limit is None and soft is None:
        return None
    entity_id, max_nanos, soft_nanos = name(entity), nanos(limit), nanos(soft)
    if entity_id is None or (max_nanos is None and soft_nanos is None):
        return None
    return {
        "scope": scope,
        "entity_id": entity_id,
        "spend_nanos": nanos(spend),
        "max_nanos": max_nanos,
        "soft_nanos": soft_nanos,
        "duration": name(duration),
        "reset_at": moment(reset_at),
    }
