"""The same budgets, judged by LiteLLM's own alerting and by ours."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.budgets.alert import highest, pace_of
from alertworker.budgets.projection import full_at
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import reached
from alertworker.events import BudgetScope
from alertworker.money import nanos_from_dollars
from tests.acceptance.proxy import litellm_python
from tests.acceptance.receiver import receiver

RESET = datetime(2026, 12, 1, tzinfo=UTC)
SPENDS = (0, 49.99, 50, 84.99, 85, 90, 94.99, 95, 97, 99.99, 100, 150)
LIMITS: tuple[float | None, ...] = (None, 0, 100)
SOFT: tuple[float | None, ...] = (None, 50, 90, 97, 100, 120)
KINDS = {"token_budget": "key", "user_budget": "user", "team_budget": "team", "organization_budget": "organization"}


def ask(alerts: list[Any], projections: list[Any]) -> tuple[dict[str, str], list[Any]]:
    """Return LiteLLM's event for each alert that it sent, by its token, and its projections."""
    script = Path(__file__).parent / "litellm_budgets.py"
    with receiver() as webhook:
        env = {
            **os.environ,
            "WEBHOOK_URL": webhook.url,
            "NO_PROXY": "127.0.0.1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        given = json.dumps({"alerts": alerts, "projections": projections})
        command = [str(litellm_python()), str(script)]
        done = subprocess.run(command, input=given, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        posted = [post.body for post in webhook.posts]
    assert len(posted) == len({body["token"] for body in posted})
    return {body["token"]: body["event"] for body in posted}, json.loads(done.stdout.splitlines()[-1])


def reading(spend: float, limit: float | None, soft: float | None, **more: Any) -> Reading:
    """Return a reading from dollars."""
    at = more.pop("at", RESET - timedelta(days=10))
    maximum, lower = (None if amount is None else nanos_from_dollars(amount) for amount in (limit, soft))
    return Reading(at, at, at, at, nanos_from_dollars(spend), maximum, lower, **more)


def ours(spend: float, limit: float | None, soft: float | None) -> str | None:
    """Return our event."""
    found = reached(reading(spend, limit, soft))
    return found.event.value if found else None


def meant_otherwise(spend: float, limit: float | None, soft: float | None) -> bool:
    """Return whether we differ on purpose: a soft budget above the reached share is reported in place of the share."""
    return limit == 100 and soft is not None and soft >= 90 and soft <= spend < 100 and (spend < 95 or soft > 95)


def test_every_budget_is_judged_as_litellm_judges_it_but_where_we_mean_otherwise() -> None:
    """The table has many spends, maxima and soft budgets, in four scopes. Differences are those of docs/budgets.md."""
    table = list(product(KINDS, SPENDS, LIMITS, SOFT))
    alerts = [
        [
            kind,
            {
                "group": KINDS[kind],
                "token": str(number),
                "user_id": str(number),
                "team_id": str(number),
                "organization_id": str(number),
                "spend": spend,
                "max_budget": limit,
                "soft_budget": soft,
            },
        ]
        for number, (kind, spend, limit, soft) in enumerate(table)
    ]
    theirs, _ = ask(alerts, [])

    different = 0
    for number, (_, spend, limit, soft) in enumerate(table):
        event, own = theirs.get(str(number)), ours(spend, limit, soft)
        if meant_otherwise(spend, limit, soft):
            assert (event, own) == ("threshold_crossed", "soft_budget_crossed"), (spend, limit, soft)
            different += 1
        else:
            assert event == own, (spend, limit, soft)
    assert len(theirs) > len(table) / 3
    assert 0 < different < len(table) / 10


def test_projections_are_litellms_to_the_day_once_a_period_is_old_enough() -> None:
    """Amount and date are equal. In the first tenth of a period only LiteLLM projects."""
    table = list(product((1.0, 20.0, 49.5, 99.0), (50.0, 100.0), ("30d", "1mo", "7d"), (0.05, 0.1, 0.35, 0.5, 0.9)))
    lengths = {"30d": 30, "1mo": 30, "7d": 7}
    moments = [RESET - timedelta(days=lengths[duration] * (1 - share)) for _, _, duration, share in table]
    asked = [
        [spend, soft, duration, RESET.isoformat(), moment.isoformat()]
        for (spend, soft, duration, _), moment in zip(table, moments, strict=True)
    ]
    _, theirs = ask([], asked)

    compared = 0
    for (spend, soft, duration, share), moment, projected in zip(table, moments, theirs, strict=True):
        own = reading(spend, None, soft, at=moment, reset_at=RESET, duration=duration)
        limit = highest(BudgetKey(BudgetScope.KEY, "app"), own)
        if share < 0.1:
            assert limit is None or limit.event is BudgetEvent.SOFT_BUDGET_CROSSED
            continue
        assert (limit is not None) == (projected is not None), (spend, soft, duration, share)
        pace = pace_of(own)
        if projected is None or pace is None or spend >= soft:
            continue
        day = full_at(nanos_from_dollars(soft), own.spend_nanos, per_day_nanos=pace.per_day_nanos, now=moment)
        assert pace.at_end_nanos == pytest.approx(nanos_from_dollars(projected[0]), abs=2)
        assert day is not None
        second = timedelta(seconds=1)  # whole nano-dollars and floats round differently
        assert projected[1] in {(day - second).date().isoformat(), (day + second).date().isoformat()}
        compared += 1
    assert compared > 20
