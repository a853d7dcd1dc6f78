"""Budgets of our own, from the ledger's sums: no worker misses what another one has just written."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.budgets.configured import CapExemptions, OwnBudget
from alertworker.ledger.postings import Postings
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.budgets import BUDGETS as STANDINGS
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, answered, batch, rows, run_until_quiet

DOLLAR = 1_000_000_000
BUDGETS = (
    OwnBudget(dimension="tag", entity="batch", max=100, period="day", thresholds=(50,)),
    OwnBudget(dimension="provider", max=1_000),
)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with a daily budget for one tag and a monthly one for each provider."""
    return replace(runtime, budgets=BUDGETS)


def test_a_tags_spend_over_all_teams_is_notified_at_its_own_thresholds(runtime: Runtime, outbox: Outbox) -> None:
    """The thresholds are half and all of it. The end of its day resolves it."""
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
    """Eight workers spend $7 each. Alone, none is over half of $100; together they are."""
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


def test_a_rotated_key_keeps_its_budget_and_names_all_that_is_behind_it(
    runtime: Runtime, store: SqlStore, outbox: Outbox
) -> None:
    """The key is found by its name, also if a batch does not contain the name. Another key's spend does not count."""
    runtime = replace(runtime, budgets=[OwnBudget(dimension="key", entity="cr?wler", max=100)])
    calls: tuple[dict[str, Any], ...] = (
        {"key_hash": "old", "key_alias": "crawler", "cost_nanos": 60 * DOLLAR, "model_group": "gpt-4o"},
        {"key_hash": "other", "key_alias": "chat", "cost_nanos": 99 * DOLLAR},
        {"key_hash": "new", "key_alias": "crawler", "cost_nanos": 1 * DOLLAR, "model_group": "o3"},
        {"key_hash": "new", "key_alias": None, "cost_nanos": 30 * DOLLAR, "model_group": "o3"},
    )
    for number, facts in enumerate(calls):
        at = NOW + timedelta(seconds=number)
        ingest(batch(answered(f"c{number}", **facts)), runtime, now=at)
        run_until_quiet(runtime, at)

    assert [message.headline for message in outbox.sent] == ["Key crawler: 85 % of budget"]
    assert outbox.sent[0].facts["Spend"] == "$91 of $100 (91.0 %)"
    assert outbox.sent[0].facts["Top models"] == "gpt-4o $60, o3 $31"
    assert [(row.scope, row.entity) for row in rows(store, STANDINGS)] == [("own key month", "crawler")]


def test_a_rotated_key_is_one_of_those_behind_a_team(runtime: Runtime, outbox: Outbox) -> None:
    """The key's hashes are added up under its name."""
    runtime = replace(runtime, budgets=[OwnBudget(dimension="team", max=100)])
    for key, name, dollars in (("old", "app", 30), ("new", "app", 25), ("other", "chat", 40)):
        call = answered(key, key_hash=key, key_alias=name, team_id="t1", cost_nanos=dollars * DOLLAR)
        ingest(batch(call), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.facts["Top keys"] for message in outbox.sent] == ["app $55, chat $40"]


@pytest.mark.parametrize(
    ("dimension", "entity", "behind"),
    [
        ("model", "gpt-4o", {"team": "Search $60, no team $40", "key": "app $70, h3 $30", "user": "u1 $60, u2 $40"}),
        ("tag", "batch", {"team": "Search $60, no team $30"}),
        ("customer", "c1", {"team": "Search $60, no team $40"}),
        ("organization", "o1", {"team": "Search $60, no team $40"}),
        ("provider", "openai", {"team": "Search $60, no team $40"}),
        ("deployment", "d1", {"team": "Search $60, no team $40"}),
    ],
)
def test_the_top_contributors_to_a_budget_are_named(
    runtime: Runtime, outbox: Outbox, dimension: Any, entity: str, behind: dict[str, str]
) -> None:
    """Names come from the ledger, highest spend first. Other entities' spend is not included."""
    runtime = replace(runtime, budgets=[OwnBudget(dimension=dimension, entity=entity, max=85, thresholds=())])
    common: dict[str, Any] = {"customer_id": "c1", "organization_id": "o1", "provider": "openai"}
    other: dict[str, Any] = {"customer_id": "c2", "organization_id": "o2", "provider": "azure"}
    calls: tuple[dict[str, Any], ...] = (
        {"dollars": 60, "user_id": "u1", "key_hash": "h1", "team_alias": "Search", "tags": ("batch",)} | common,
        {"dollars": 10, "user_id": "u2", "key_hash": "h2", "team_id": None} | common,
        {"dollars": 30, "user_id": "u2", "key_hash": "h3", "key_alias": None, "team_id": None, "tags": ("batch",)}
        | common,
        {"dollars": 99, "team_id": "t9", "user_id": "u9", "model_group": "o3", "deployment_id": "d2"} | other,
    )
    events = [answered(f"c{n}", cost_nanos=call.pop("dollars") * DOLLAR, **call) for n, call in enumerate(calls)]
    ingest(batch(*events), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    (message,) = outbox.sent
    named = {f"Top {what}s": who for what, who in behind.items()}
    assert {name: text for name, text in message.facts.items() if name.startswith("Top ")} == named


def test_a_name_is_known_from_batches_before(runtime: Runtime, outbox: Outbox) -> None:
    """A team's budget is configured by name, and the calls carry only its id."""
    runtime = replace(runtime, budgets=[OwnBudget(dimension="team", entity="Search*", max=100)])
    for number, name in enumerate(("Search EU", None, None)):
        at = NOW + timedelta(seconds=number)
        ingest(batch(answered(f"c{number}", team_id="t1", team_alias=name, cost_nanos=31 * DOLLAR)), runtime, now=at)
        run_until_quiet(runtime, at)

    assert [message.headline for message in outbox.sent] == ["Team Search EU: 85 % of budget"]


@pytest.mark.parametrize(
    ("zone", "anchor"), [("Asia/Tokyo", date(2026, 11, 1)), ("UTC", date(2026, 10, 30))], ids=["zone", "anchor"]
)
def test_a_period_that_ends_earlier_by_a_new_setting_is_judged(
    runtime: Runtime, outbox: Outbox, zone: str, anchor: date
) -> None:
    """The alert of the old period is resolved, and a limit reached in the new period is notified."""

    def spend(dollars: int, at: datetime, zone: str = "UTC", anchor: date = date(2026, 11, 1)) -> None:
        budget = OwnBudget(dimension="tag", entity="batch", max=100, period="30d", anchor=anchor)
        present = replace(runtime, budgets=(budget,), zone=ZoneInfo(zone))
        call = answered(str(at), cost_nanos=dollars * DOLLAR, tags=("batch",))
        ingest(batch(call.model_copy(update={"occurred_at": at})), present, now=at)
        run_until_quiet(present, at)

    spend(90, NOW)
    for days, dollars in ((1, 1), (2, 60), (5, 100)):
        spend(dollars, NOW + timedelta(days=days), zone, anchor)

    steps = [(message.step, message.headline) for message in outbox.sent]
    assert steps[0] == (Step.FIRING, "Tag batch: 85 % of budget")
    assert [step for step, _ in steps[1:3]] == [Step.RESOLVED, Step.FIRING]
    assert steps[-1] == (Step.FIRING, "Tag batch: budget of $100 used up")


def test_a_reminder_of_our_own_budget_names_no_proxy(runtime: Runtime, outbox: Outbox) -> None:
    """The figure is the ledger's, from the last call."""
    runtime = replace(runtime, router=replace(runtime.router, repeats={AlertType.BUDGET_ALERTS: 3_600.0}))
    for minutes, dollars in ((0, 60), (30, 10)):
        at = NOW + timedelta(minutes=minutes)
        ingest(batch(answered(f"c{minutes}", cost_nanos=dollars * DOLLAR, tags=("batch",))), runtime, now=at)
        run_until_quiet(runtime, at)
    later = NOW + timedelta(minutes=61)
    sweep(runtime, now=later)
    run_until_quiet(runtime, later)

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.REMINDER]
    assert outbox.sent[1].facts["Spend"] == "$70 of $100 (70.0 %)"
    assert "Figure" not in outbox.sent[1].facts


def test_made_up_tags_do_not_hide_one_that_has_a_budget(runtime: Runtime, outbox: Outbox) -> None:
    """Beyond the daily cap a tag becomes "(other)", except a tag that a budget names."""
    runtime = replace(runtime, max_entities=3)
    ingest(batch(*(answered(f"c{number}", tags=(f"made up {number}",)) for number in range(5))), runtime, now=NOW)
    ingest(batch(answered("c", tags=("batch",), cost_nanos=60 * DOLLAR)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == ["Tag batch: 50 % of budget"]


@pytest.mark.parametrize("entity", ["alice@example.com", "*@example.com"])
@pytest.mark.parametrize("known", [True, False], ids=["known before", "in the batch"])
def test_made_up_users_do_not_hide_one_that_a_budget_names_by_its_name(
    runtime: Runtime, outbox: Outbox, entity: str, known: bool
) -> None:
    """The name is known from the day before, or arrives with the call itself."""
    budget = OwnBudget(dimension="user", entity=entity, max=100, thresholds=(50,))
    runtime = replace(runtime, max_entities=3, budgets=(budget,))
    alice = answered("a", user_id="u9", user_email="alice@example.com", cost_nanos=60 * DOLLAR)
    if known:
        before = NOW - timedelta(days=1)
        first = alice.model_copy(update={"call_id": "0", "cost_nanos": 0, "occurred_at": before})
        ingest(batch(first), runtime, now=before)
        alice = alice.model_copy(update={"user_email": None})
    ingest(batch(*(answered(f"c{number}", user_id=f"made up {number}") for number in range(5))), runtime, now=NOW)
    ingest(batch(alice), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == ["User alice@example.com: 50 % of budget"]


@pytest.mark.parametrize(
    ("dimension", "emails", "user"),
    [("key", "lead@corp.example", "u@corp.example"), ("team", "lead@corp.example", None)],
)
def test_a_configured_budget_names_its_entity(
    runtime: Runtime, outbox: Outbox, dimension: Any, emails: str, user: str | None
) -> None:
    """Its owners get mail, and the route of its team matches, also if the crossing call has fewer names."""
    router = replace(runtime.router, selectable=frozenset({"search-oncall"}))
    runtime = replace(runtime, budgets=(OwnBudget(dimension=dimension, max=100),), router=router)
    owned: dict[str, Any] = {
        "team_alias": "Search",
        "key_hash": "h1",
        "user_id": "u1",
        "user_email": "u@corp.example",
        "team_metadata": {"soft_budget_alerting_emails": emails, "alert_receiver": "search-oncall"},
    }
    ingest(batch(answered("a", cost_nanos=60 * DOLLAR, **owned)), runtime, now=NOW)
    ingest(batch(answered("b", cost_nanos=30 * DOLLAR, key_hash="h1")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    (message,) = outbox.sent
    assert message.labels["team"] == "Search"
    assert message.labels["alert_receiver"] == "search-oncall"
    assert message.figures is not None
    assert (message.figures.alert_emails, message.figures.user_email) == (emails, user)


def test_below_the_cap_no_names_are_asked_for(store: SqlStore) -> None:
    """A budget by a name costs a batch nothing until a day is full."""
    exempt = CapExemptions((OwnBudget(dimension="user", entity="*@example.com", max=100),))
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    def asks(number: int, exempt: CapExemptions, most: int) -> int:
        asked.clear()
        ledger = Postings()
        call = answered("c", user_id=f"u{number}", user_email=f"{number}@example.com")
        ledger.add_end(call, NOW.date(), NOW)
        store.run(lambda tx: tx.ledger.add(ledger, max_entities=most, exempt=exempt))
        return sum("aliases" in statement.lower() for statement in asked)

    without = asks(1, CapExemptions(), 100)
    assert asks(2, exempt, 100) == without
    assert asks(3, exempt, 1) == without + 1


def test_many_keys_of_one_batch_are_asked_for_at_once(runtime: Runtime, store: SqlStore) -> None:
    """A batch with 300 keys needs no more queries than one with 3."""
    runtime = replace(runtime, budgets=[OwnBudget(dimension="key", max=100)])

    def statements(keys: int) -> int:
        asked = []
        event.listen(store.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        calls = [answered(f"c{n}", key_hash=f"{keys}-{n}", key_alias=f"{keys}-name-{n}") for n in range(keys)]
        ingest(batch(*calls), runtime, now=NOW)
        return len(asked)

    assert statements(300) <= statements(3) + 2
