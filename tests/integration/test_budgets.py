"""Budgets on a real database: a limit is notified once, however many workers and keys report it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from alertworker import app
from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.channels import build_channel
from alertworker.channels.budget_webhook import BudgetWebhookConfig
from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.owner_mail import OwnerMail
from alertworker.cli import cli
from alertworker.events import Budget, BudgetScope, RequestSucceeded
from alertworker.pipeline import Runtime, deliver, ingest, sweep
from alertworker.pipeline.notify import claim
from alertworker.ports.alert_search import AlertFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, batch, rows, run_until_quiet

DOLLAR = 1_000_000_000
RESET = NOW + timedelta(days=7)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with hourly reminders of budgets."""
    return replace(runtime, router=replace(runtime.router, repeats={AlertType.BUDGET_ALERTS: 3_600.0}))


def spent(
    dollars: float, *, key: str = "app", at: datetime = NOW, reset_at: datetime | None = RESET, limit: float = 100
) -> RequestSucceeded:
    """Return a call of a team with this spend, by one of its keys."""
    budget = Budget(
        scope=BudgetScope.TEAM,
        entity_id="t1",
        spend_nanos=round(dollars * DOLLAR),
        max_nanos=round(limit * DOLLAR),
        reset_at=reset_at,
    )
    return RequestSucceeded(
        call_id=f"{key}-{dollars}",
        started_at=at,
        ended_at=at,
        occurred_at=at,
        team_id="t1",
        team_alias="search",
        key_alias=key,
        cost_nanos=0,
        budgets=(budget,),
    )


class WebhookOutbox(Outbox):
    """Accepts the same messages as the budget webhook."""

    name = "webhook"

    def takes(self, message: Message, /) -> bool:
        config = BudgetWebhookConfig(name="w", url=SecretStr("https://receiver.example/x"))
        return build_channel(config).takes(message)


class OwnersOutbox(Outbox):
    """Accepts the same messages as mail to owners."""

    name = "owners"

    def takes(self, message: Message, /) -> bool:
        config = EmailConfig(
            name="m", host="127.0.0.1", tls="none", sender="a@corp.example", recipients=("o@corp.example",)
        )
        return OwnerMail(config).takes(message)


def notice() -> Alert:
    """Return an alert without figures."""
    return Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"model": "m"}, "It failed", NOW, NOW)


def notified(outbox: Outbox) -> list[tuple[Step, str]]:
    """Return the sent steps and headlines."""
    return [(message.step, message.headline) for message in outbox.sent]


def at_once(work: Callable[[int], None], workers: int) -> None:
    """Run the work in several threads that start together."""
    gate, errors = threading.Barrier(workers), []

    def one(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_each_limit_is_notified_once_as_one_alert_that_rises(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The limits are 15 % left, 5 % left, and used up. Readings between them send no message."""
    for second, dollars in enumerate((50, 85, 86, 85, 96, 95, 100, 130)):
        at = NOW + timedelta(seconds=second)
        ingest(batch(spent(dollars, at=at)), runtime, now=at)
        run_until_quiet(runtime, at)

    assert notified(outbox) == [
        (Step.FIRING, "Team search: 85 % of budget"),
        (Step.FIRING, "Team search: 95 % of budget"),
        (Step.FIRING, "Team search: budget of $100 used up"),
    ]
    assert outbox.sent[0].facts["Spend"] == "$85 of $100 (85.0 %)"
    assert outbox.sent[0].labels["team"] == "search"
    assert len(rows(store, ALERTS)) == 1


def test_a_hundred_keys_of_one_team_in_one_batch_are_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """The budget is the team's, no matter which key reports it. The jump is notified as the highest limit."""
    ingest(batch(*(spent(80 + n / 4, key=f"key-{n}") for n in range(100))), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert notified(outbox) == [(Step.FIRING, "Team search: budget of $100 used up")]


@pytest.mark.parametrize("attempt", range(3))
def test_workers_that_cross_a_limit_concurrently_notify_once(runtime: Runtime, store: SqlStore, attempt: int) -> None:
    """Eight workers report, each with its own keys, a budget that is new to the store."""
    batches = [batch(*(spent(97, key=f"{worker}-{n}") for n in range(5))) for worker in range(8)]
    at_once(lambda worker: ingest(batches[worker], runtime, now=NOW), workers=8)

    assert len(rows(store, ALERTS)) == len(rows(store, NOTIFICATIONS)) == 1
    assert [(row.notified_nanos, row.level) for row in rows(store, BUDGETS)] == [(95 * DOLLAR, 1)]


def test_workers_that_cross_different_limits_leave_the_highest_as_the_last(runtime: Runtime, store: SqlStore) -> None:
    """In any order, the last message is that the budget is used up, and no lower limit follows it."""
    amounts = [85, 90, 95, 99, 100, 101, 50, 97]
    at_once(lambda worker: ingest(batch(spent(amounts[worker])), runtime, now=NOW), workers=8)

    (alert,) = rows(store, ALERTS)
    assert alert.headline == "Team search: budget of $100 used up"
    assert 1 <= len(rows(store, NOTIFICATIONS)) == alert.level <= 3


def test_the_reset_resolves_without_traffic_and_an_old_figure_notifies_no_channel(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """A process that does not know of the reset keeps reporting the old period."""
    ingest(batch(spent(90)), runtime, now=NOW)
    sweep(runtime, now=RESET - timedelta(seconds=1))
    run_until_quiet(runtime, RESET - timedelta(seconds=1))
    assert notified(outbox) == [(Step.FIRING, "Team search: 85 % of budget")]

    sweep(runtime, now=RESET)
    later = RESET + timedelta(seconds=30)
    ingest(batch(spent(99, at=later)), runtime, now=later)
    sweep(runtime, now=later)
    run_until_quiet(runtime, later)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING, Step.RESOLVED]
    assert [row.closed for row in rows(store, BUDGETS)] == [True]


def test_traffic_of_the_next_period_resolves_and_begins_anew(runtime: Runtime, outbox: Outbox) -> None:
    """This happens before the sweep, too. An old figure in the same batch does not matter."""
    ingest(batch(spent(90)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    later = RESET + timedelta(seconds=1)
    after = RESET + timedelta(days=7)
    ingest(batch(spent(95, at=later), spent(86, at=later, reset_at=after)), runtime, now=later)
    run_until_quiet(runtime, later)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING, Step.RESOLVED, Step.FIRING]


def test_a_message_names_the_keys_and_models_behind_a_teams_spend(runtime: Runtime, outbox: Outbox) -> None:
    """The names are from the ledger, highest spend first."""
    calls = [
        spent(86, key=key).model_copy(update={"key_hash": f"hash-{key}", "model_group": model, "cost_nanos": cost})
        for key, model, cost in (("a", "gpt-4o", DOLLAR), ("b", "o3", 3 * DOLLAR), ("c", "gpt-4o", DOLLAR // 2))
    ]
    ingest(batch(*calls), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert outbox.sent[0].facts["Top keys"] == "b $3, a $1, c $0.50"
    assert outbox.sent[0].facts["Top models"] == "o3 $3, gpt-4o $1.50"


@pytest.mark.parametrize(
    ("scope", "part", "behind"),
    [
        (BudgetScope.PROXY, None, {"Top teams": "search $4, no team $2", "Top models": "o3 $4, gpt-4o $2"}),
        (BudgetScope.TEAM, "1d", {"Top keys": "a $4", "Top models": "o3 $4"}),
        (BudgetScope.TEAM, "1d" * 128, {"Top keys": "a $4", "Top models": "o3 $4"}),
        (BudgetScope.PROJECT, None, {}),
    ],
)
def test_the_top_contributors_to_the_proxy_or_one_of_several_budgets(
    runtime: Runtime, outbox: Outbox, scope: BudgetScope, part: str | None, behind: dict[str, str]
) -> None:
    """A proxy's budget lists teams and models. A team's further budget lists the keys of the team."""
    full = Budget(scope=scope, entity_id="t1", part=part, spend_nanos=101 * DOLLAR, max_nanos=100 * DOLLAR)
    more = {"budgets": (full,), "key_hash": "hash-a", "model_group": "o3", "cost_nanos": 4 * DOLLAR}
    other = {"budgets": (), "team_id": None, "key_hash": "hash-b", "model_group": "gpt-4o", "cost_nanos": 2 * DOLLAR}
    calls = [spent(1, key=key).model_copy(update=changed) for key, changed in (("a", more), ("b", other))]
    ingest(batch(*calls), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    (message,) = outbox.sent
    assert {name: text for name, text in message.facts.items() if name.startswith("Top ")} == behind


def test_a_raised_budget_resolves_and_arms_again(runtime: Runtime, outbox: Outbox) -> None:
    """The message about the old limit is resolved. The new limit is notified when it is reached."""
    for second, (dollars, limit) in enumerate(((100, 100), (100, 200), (170, 200))):
        at = NOW + timedelta(seconds=second)
        ingest(batch(spent(dollars, at=at, limit=limit)), runtime, now=at)
        run_until_quiet(runtime, at)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING, Step.RESOLVED, Step.FIRING]
    resolved = outbox.sent[1].facts
    assert resolved["Spend"] == "$100 of $200 (50.0 %)"
    assert (resolved["State"], resolved["Requests"]) == ("the limit is now $200", "pass again")


def test_it_reminds_while_money_flows_and_with_the_present_figures(runtime: Runtime, outbox: Outbox) -> None:
    """An hour without spend brings no reminder."""
    ingest(batch(spent(86)), runtime, now=NOW)
    soon, first, second = (NOW + timedelta(minutes=minutes) for minutes in (30, 61, 122))
    ingest(batch(spent(90, at=soon)), runtime, now=soon)
    for at in (soon, first, second):
        sweep(runtime, now=at)
        run_until_quiet(runtime, at)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING, Step.REMINDER]
    assert outbox.sent[1].headline == "Still: Team search: 85 % of budget"
    assert outbox.sent[1].facts["Spend"] == "$90 of $100 (90.0 %)"


def test_the_command_lists_the_fullest_first(
    runtime: Runtime, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has owner, spend, limit, share and reset. Programs get nano-dollars."""
    other = Budget(scope=BudgetScope.USER, entity_id="u1", spend_nanos=97 * DOLLAR, max_nanos=100 * DOLLAR)
    ingest(batch(spent(12.5), spent(1).model_copy(update={"budgets": (other,)})), runtime, now=NOW)
    monkeypatch.setattr(app, "build_admin_store", lambda: AdminStore(store.engine))

    lines = CliRunner().invoke(cli, ["budgets"]).output.splitlines()
    (first, second) = [json.loads(line) for line in CliRunner().invoke(cli, ["budgets", "--json"]).output.splitlines()]

    shown = [re.split(" {2,}", line) for line in lines]
    assert shown[0] == ["scope", "state", "spend", "resets", "reported", "budget"]
    assert shown[1][:4] + shown[1][5:] == ["user", "95 %", "$97 of $100 (97.0 %)", "never", "User u1"]
    assert (shown[2][2], shown[2][5]) == ("$12.50 of $100 (12.5 %)", "Team search")
    assert (first["entity"], first["spend_nanos"], first["share"], first["resets"]) == ("u1", 97 * DOLLAR, 97.0, None)
    assert (second["state"], second["resets"]) == ("open", RESET.isoformat(timespec="seconds"))


def test_a_budget_webhook_gets_each_event_and_a_chat_the_end_too(runtime: Runtime, outbox: Outbox) -> None:
    """Each has the figures of its step."""
    webhook = WebhookOutbox()
    both = replace(runtime.router, receivers={"all": ("outbox", "webhook")})
    runtime = replace(runtime, channels={"outbox": outbox, "webhook": webhook}, router=both)
    for second, dollars in enumerate((85, 96)):
        at = NOW + timedelta(seconds=second)
        ingest(batch(spent(dollars, at=at)), runtime, now=at)
        run_until_quiet(runtime, at)
    later = RESET + timedelta(seconds=1)
    sweep(runtime, now=later)
    run_until_quiet(runtime, later)
    assert not deliver("webhook", runtime, now=later)

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.FIRING, Step.RESOLVED]
    seen = [(m.figures.spend_nanos, m.figures.crossed) for m in webhook.sent if m.figures is not None]
    assert seen == [(85 * DOLLAR, 85), (96 * DOLLAR, 95)]


def test_an_alert_that_no_channel_of_its_route_accepts_is_counted(runtime: Runtime, store: SqlStore) -> None:
    """The alert is stored, and no message waits."""
    only = replace(runtime.router, receivers={"all": ("webhook",)})
    runtime = replace(runtime, channels={"webhook": WebhookOutbox()}, router=only)
    store.run(lambda tx: claim(tx, notice(), runtime, now=NOW))

    assert len(rows(store, ALERTS)) == 1
    assert rows(store, NOTIFICATIONS) == []
    assert [(row.name, row.label, row.value) for row in rows(store, COUNTERS) if row.name == "not_taken"] == [
        ("not_taken", "llm_exceptions", 1)
    ]


def test_an_end_that_no_channel_takes_is_not_suppressed(runtime: Runtime, store: SqlStore) -> None:
    """No notified channel accepts the resolving message, so the alert is not among the suppressed ones."""
    only = replace(runtime.router, receivers={"all": ("webhook",)})
    runtime = replace(runtime, channels={"webhook": WebhookOutbox()}, router=only)
    ingest(batch(spent(85)), runtime, now=NOW)
    sweep(runtime, now=RESET + timedelta(seconds=1))

    assert [row.step for row in rows(store, NOTIFICATIONS)] == ["firing:0"]
    assert [(row.last_suppressed_by, row.closed_at is not None) for row in rows(store, ALERTS)] == [(None, True)]
    assert AdminStore(store.engine).alerts.search(AlertFilter(suppressed=True)).alerts == []


def test_owners_are_notified_once_beside_the_channels(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Four workers run at once: one mail about the crossing and one about its end, and none without an address."""
    owners = OwnersOutbox()
    both = replace(runtime, channels={"outbox": outbox, "owners": owners}, owner_mail="owners")
    call = spent(90).model_copy(update={"team_metadata": {"soft_budget_alerting_emails": "lead@corp.example"}})
    at_once(lambda number: ingest(batch(call, batch_id=f"b{number}"), both, now=NOW), 4)
    other = spent(90, reset_at=RESET + timedelta(days=1)).budgets[0].model_copy(update={"entity_id": "t2"})
    ingest(batch(call.model_copy(update={"budgets": (other,), "team_metadata": {}})), both, now=NOW)
    sweep(both, now=RESET + timedelta(minutes=1))
    for name in ("outbox", "owners"):
        while deliver(name, both, now=RESET + timedelta(minutes=2)):
            pass

    assert [message.step for message in owners.sent] in ([Step.FIRING, Step.RESOLVED], [Step.FIRED_AND_RESOLVED])
    assert {message.labels["entity"] for message in owners.sent} == {"t1"}
    assert len(outbox.sent) >= len(owners.sent) + 1
    nobody = replace(both, router=replace(both.router, receivers={"all": ()}))
    ingest(batch(call.model_copy(update={"budgets": (spent(99.5).budgets[0],)})), nobody, now=NOW + timedelta(hours=1))
    assert not [row for row in rows(store, NOTIFICATIONS) if row.channel == "owners" and row.status == "pending"]
