"""Budgets of our own, summed up from the ledger: no worker misses what another one has just written."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from alertworker.messages import Step
from alertworker.own_budgets import OwnBudget
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.tables import NOTIFICATIONS
from tests.integration.line import NOW, Outbox, answered, batch, rows, run_until_quiet

DOLLAR = 1_000_000_000
BUDGETS = (
    OwnBudget(dimension="tag", entity="batch", max=100, period="day", thresholds=(50,)),
    OwnBudget(dimension="provider", max=1_000),
)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Give a runtime with a day's budget for one tag and a month's for each provider."""
    return replace(runtime, budgets=BUDGETS)


def test_a_tags_spend_over_all_teams_is_told_at_its_own_thresholds(runtime: Runtime, outbox: Outbox) -> None:
    """Half of it, all of it; and the end of its day resolves."""
    for number, dollars in enumerate((30, 30, 50)):
        call = answered(f"c{number}", cost_nanos=dollars * DOLLAR, tags=("batch", "x"), team_id=f"t{number}")
        at = NOW + timedelta(seconds=number)
        ingest(batch(call), runtime, now=at)
        run_until_quiet(runtime, at)
    midnight = NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    sweep(runtime, now=midnight)
    run_until_quiet(runtime, midnight)

    assert [(message.step, message.headline) for message in outbox.sent[:2]] == [
        (Step.FIRING, "Tag batch: 50 % of budget"),
        (Step.FIRING, "Tag batch: budget of $100 used up"),
    ]
    assert [message.step for message in outbox.sent[2:]] == [Step.RESOLVED]
    assert outbox.sent[1].facts["Spend"] == "$110 of $100 (110.0 %)"
    assert outbox.sent[1].facts["Requests"] == "pass; nothing enforces this budget"
    assert outbox.sent[1].labels["tag"] == "batch"


@pytest.mark.parametrize("attempt", range(3))
def test_workers_that_spend_on_different_teams_at_once_do_not_miss_the_crossing(
    runtime: Runtime, store: SqlStore, attempt: int
) -> None:
    """Eight of $7 each: none alone is over half of $100, all together are."""
    gate = threading.Barrier(8)

    def work(number: int) -> None:
        call = answered(f"c{number}", cost_nanos=7 * DOLLAR, tags=("batch",), team_id=f"t{number}")
        gate.wait()
        ingest(batch(call), runtime, now=NOW)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(rows(store, NOTIFICATIONS)) == 1
