"""The budgets a call counts against, as LiteLLM saw them when it let the caller in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alertworker.events import BudgetScope
from alertworker.integrations.litellm.bounds import key_hash, moment, name, nanos


def budgets(caller: Any, metadata: Mapping[str, Any], customer_id: str | None) -> list[dict[str, Any]]:
    """Give a mapping per budget that has a limit; spends are from before the call, its own cost not in them.

    ``caller`` is LiteLLM's ``UserAPIKeyAuth`` and ``metadata`` the call's, which after a database authentication also
    carries reset times and the organization's figures.
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
