"""The budgets a call counts against, as LiteLLM read them when it authenticated the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from alertworker.events import BudgetScope
from alertworker.integrations.litellm.coerce import key_hash, moment, name, nanos

#: LiteLLM's ``entity_type`` of an error, with our scope for each.
_SCOPES: Final = {scope.value: scope for scope in BudgetScope} | {"end_user": BudgetScope.CUSTOMER}
#: How LiteLLM's message names one budget of a key, team or user that has several.
_PART: Final = re.compile(r" over (\w{1,32}) budget\b| exceeded budget for model=(.+)\Z")


class _Source(NamedTuple):
    """The place of a value: the caller's attribute, else the metadata's label."""

    attribute: str = ""
    label: str = ""


class _Fields(NamedTuple):
    """The places of one budget's fields."""

    limit: _Source
    spend: _Source = _Source()
    soft: _Source = _Source()
    duration: _Source = _Source()
    reset_at: _Source = _Source()


_FIELDS: Final = {
    BudgetScope.KEY: _Fields(
        limit=_Source("max_budget", "user_api_key_max_budget"),
        spend=_Source("spend", "user_api_key_spend"),
        soft=_Source("soft_budget"),
        duration=_Source("budget_duration"),
        reset_at=_Source("budget_reset_at", "user_api_key_budget_reset_at"),
    ),
    BudgetScope.TEAM: _Fields(
        limit=_Source("team_max_budget", "user_api_key_team_max_budget"),
        spend=_Source("team_spend", "user_api_key_team_spend"),
        soft=_Source("team_soft_budget"),
        reset_at=_Source(label="user_api_key_team_budget_reset_at"),
    ),
    BudgetScope.USER: _Fields(
        limit=_Source("user_max_budget", "user_api_key_user_max_budget"),
        spend=_Source("user_spend", "user_api_key_user_spend"),
        reset_at=_Source(label="user_api_key_user_budget_reset_at"),
    ),
    BudgetScope.ORGANIZATION: _Fields(
        limit=_Source("organization_max_budget", "user_api_key_org_max_budget"),
        spend=_Source(label="user_api_key_org_spend"),
    ),
    BudgetScope.CUSTOMER: _Fields(limit=_Source("end_user_max_budget", "user_api_end_user_max_budget")),
}


def budgets(caller: object, metadata: Mapping[str, object], customer_id: str | None) -> list[dict[str, object]]:
    """Return a mapping for each budget that has a limit. Its spend is from before the call.

    ``caller`` is LiteLLM's ``UserAPIKeyAuth``. ``metadata`` is the call's: after an authentication against the
    database it also holds reset times and the organization's figures.
    """
    entities = {
        BudgetScope.KEY: key_hash(getattr(caller, "api_key", None)) or key_hash(metadata.get("user_api_key_hash")),
        BudgetScope.TEAM: getattr(caller, "team_id", None),
        BudgetScope.USER: getattr(caller, "user_id", None),
        BudgetScope.ORGANIZATION: getattr(caller, "org_id", None),
        BudgetScope.CUSTOMER: customer_id,
    }

    def read(source: _Source) -> object:
        value = getattr(caller, source.attribute, None) if source.attribute else None
        return metadata.get(source.label) if value is None and source.label else value

    found = (
        _budget(
            scope,
            entities[scope],
            read(fields.spend),
            read(fields.limit),
            soft=read(fields.soft),
            duration=read(fields.duration),
            reset_at=read(fields.reset_at),
        )
        for scope, fields in _FIELDS.items()
    )
    return [budget for budget in found if budget is not None]


def with_refusal(error: BaseException, known: list[dict[str, Any]], caller: Any) -> list[dict[str, Any]]:
    """Return the call's budgets, with the one in LiteLLM's ``BudgetExceededError`` marked as refused.

    LiteLLM also refuses calls because of budgets that no call carries. These are budgets of projects, tags and team
    members, and further ones of a key or team, for a day or for a model.
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


def _window_end(caller: object, scope: BudgetScope, part: str | None) -> datetime | None:
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
) -> dict[str, object] | None:
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
