"""A call that a budget refused names the budget, with the proxy's own figures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from alertworker.budgets.alert import name as spoken
from alertworker.budgets.readings import BudgetKey, read
from alertworker.events import Origin
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.litellm_data import KEY_HASH, caller, request
from tests.unit.integrations.recording import RecordingPublisher

DOLLAR = 1_000_000_000
KEY = BudgetKey("key", "search-prod")
RESET = "2026-11-26T00:00:00+00:00"


class BudgetExceededError(Exception):
    """Stands for LiteLLM's error of that name, with its fields."""

    def __init__(self, entity_type: str | None, entity_id: str | None, message: str = "", **more: Any) -> None:
        super().__init__(message or "Budget has been exceeded! Current cost: 12.0, Max budget: 10.0")
        self.status_code = 422
        self.entity_type, self.entity_id = entity_type, entity_id
        self.current_cost, self.max_budget = more.get("cost", 12.0), more.get("limit", 10.0)


def refused(error: BudgetExceededError, **fields: Any) -> Any:
    """Return the event of a call that was turned away before it was routed."""
    publisher = RecordingPublisher()
    Recorder(publisher, CallbackOptions()).failed(request(), error, caller(**fields))
    (event,) = publisher.events
    assert event.failure.origin is Origin.CALLER  # and so no llm_exceptions
    return event


def test_the_budget_that_is_known_has_the_proxys_newer_figure() -> None:
    """The copy of the figure that came with the caller may be old; other budgets stay as they are."""
    event = refused(
        BudgetExceededError("team", "t1"),
        spend=1.0, max_budget=10.0, team_spend=9.0, team_max_budget=10.0, team_soft_budget=8.0,
    )  # fmt: skip
    readings = dict(read(event))
    team, key = readings[BudgetKey("team", "t1")], readings[KEY]

    assert (team.spend_nanos, team.max_nanos, team.soft_nanos) == (12 * DOLLAR, 10 * DOLLAR, 8 * DOLLAR)
    assert (team.rejected_at, key.rejected_at) == (event.occurred_at, None)
    assert key.spend_nanos == DOLLAR


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (BudgetExceededError("project", "p1"), "Project p1"),
        (BudgetExceededError("tag", "nightly"), "Tag nightly"),
        (BudgetExceededError("team_member", "u1:t1"), "Team member u1:t1"),
        (BudgetExceededError("model_access_group", "fast"), "Model access group fast"),
        (BudgetExceededError("end_user", "c1"), "Customer c1"),
        (BudgetExceededError("organization", "o1"), "Organization Org"),
        (BudgetExceededError("proxy", None), "The whole proxy"),
        (BudgetExceededError("key", KEY_HASH, "ExceededBudget: Key over 1d budget. Spend=$12"), "Key search-prod (1d)"),
        (BudgetExceededError("team", "t1", "LiteLLM Team: t1, exceeded budget for model=o3"), "Team Search (o3)"),
        (BudgetExceededError("key", KEY_HASH, limit=3.0), "Key search-prod (another budget)"),
    ],
)
def test_budgets_without_figures_in_calls_are_known_by_refusals(error: BudgetExceededError, shown: str) -> None:
    """Each is a budget of its own, beside the key's."""
    windows = [{"budget_duration": "7d", "reset_at": "x"}, SimpleNamespace(budget_duration="1d", reset_at=RESET)]
    readings = dict(read(refused(error, spend=1.0, max_budget=10.0, budget_limits=windows)))
    ((key, found),) = ((key, one) for key, one in readings.items() if one.rejected_at is not None)

    assert spoken(key, found) == shown
    assert found.spend_nanos == 12 * DOLLAR
    assert readings[KEY].spend_nanos == DOLLAR
    assert (found.reset_at.isoformat() if found.reset_at else None) == (RESET if "(1d)" in shown else None)


@pytest.mark.parametrize(
    "error", [BudgetExceededError(None, None), BudgetExceededError("team", "t1", cost=float("nan"))]
)
def test_an_error_without_figures_is_not_a_reading(error: BudgetExceededError) -> None:
    """Older versions of LiteLLM name no entity: then the limits decide."""
    assert not any(budget.refused for budget in refused(error, team_spend=9.0, team_max_budget=10.0).budgets)
