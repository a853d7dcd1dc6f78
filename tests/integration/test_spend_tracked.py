"""The cost of customers' calls for programs that want it: each call once, and never to a chat."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason, RetryPolicy
from alertworker.events import Budget, BudgetReported, BudgetScope, Event, PublisherHeartbeat, RequestSucceeded
from alertworker.pipeline import Runtime, deliver, ingest
from alertworker.routing.matchers import Matcher
from alertworker.routing.router import Route
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import ATTEMPTS, NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, answered, batch, failed, rows, run_until_quiet


class Program(Outbox):
    """Accepts the spend of customers, several messages at a time."""

    name = "program"
    parallel = 4
    tracks_spend = True


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def runtime(runtime: Runtime, outbox: Outbox, program: Program) -> Runtime:
    """Return a runtime that routes everything to a chat and to a program."""
    router = replace(runtime.router, receivers={"all": ("outbox", "program")})
    return replace(runtime, channels={"outbox": outbox, "program": program}, router=router)


def settle(runtime: Runtime, now: datetime = NOW) -> None:
    """Deliver what is due to both."""
    run_until_quiet(runtime, now)
    while deliver("program", runtime, now=now):
        pass


def notified(program: Program) -> list[tuple[str, int]]:
    """Return the customers and nano-dollars that a program received, as sorted pairs."""
    figures = [message.figures for message in program.sent if message.figures is not None]
    assert all(one.event is BudgetEvent.SPEND_TRACKED and one.scope == BudgetScope.CUSTOMER for one in figures)
    return sorted((one.entity_id, one.spend_nanos) for one in figures)


def call(number: int, **more: Any) -> RequestSucceeded:
    """Return a customer's call with this cost in nano-dollars."""
    fields: dict[str, Any] = {"customer_id": "acme", "cost_nanos": number, **more}
    return answered(f"c{number}", **fields)


def reported(spend: int) -> BudgetReported:
    """Return the report of LiteLLM's own webhook on a customer's call."""
    return BudgetReported(
        occurred_at=NOW, event="spend_tracked", scope=BudgetScope.CUSTOMER, entity_id="acme", spend_nanos=spend
    )


def test_each_call_is_sent_once(runtime: Runtime, outbox: Outbox, program: Program, store: SqlStore) -> None:
    """A redelivered batch changes nothing.

    Messages are not merged, and there is no alert, no chat message and no remaining row.
    """
    sealed = batch(*(call(number) for number in range(30)), batch_id="b1")
    for _ in range(2):
        ingest(sealed, runtime, now=NOW)
        settle(runtime)

    assert notified(program) == [("acme", number) for number in range(30)]
    assert len(set(program.ids)) == 30
    assert outbox.sent == []
    assert rows(store, ALERTS) == rows(store, NOTIFICATIONS) == rows(store, ATTEMPTS) == []
    assert [(row.name, row.label, row.value) for row in rows(store, COUNTERS)] == [("spend_tracked", "sent", 30)]


def test_only_priced_calls_of_customers_are_sent(runtime: Runtime, program: Program, store: SqlStore) -> None:
    """A price of 0 is a price. The customer's own budget is in the message."""
    limit = Budget(scope=BudgetScope.CUSTOMER, entity_id="acme", max_nanos=70)
    others: list[Event] = [answered("a", cost_nanos=5), call(6, cost_nanos=None), failed("f")]
    ingest(batch(*others, call(0), call(7, budgets=(limit,))), runtime, now=NOW)
    settle(runtime)

    assert notified(program) == [("acme", 0), ("acme", 7)]
    assert {message.figures.max_nanos for message in program.sent if message.figures} == {None, 70}
    assert {message.step for message in program.sent if message.figures} == {Step.TRACKED}


def test_nothing_is_written_without_a_channel_for_it(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A chat alone adds no rows."""
    ingest(batch(call(1)), replace(runtime, channels={"outbox": outbox}), now=NOW)

    assert rows(store, NOTIFICATIONS) == []


def test_it_goes_where_the_customers_budget_goes(runtime: Runtime, program: Program) -> None:
    """Routes differ by team. A disabled type is disabled for programs, too."""
    search = Route(matchers=(Matcher("team", "=", "search"),), receiver="all")
    routed = replace(runtime, router=replace(runtime.router, root=Route(receiver="", routes=(search,))))
    off = replace(runtime, router=replace(runtime.router, types=frozenset({AlertType.LLM_EXCEPTIONS})))
    ingest(batch(call(1), call(2, team_id="billing")), routed, now=NOW)
    ingest(batch(call(3)), off, now=NOW)
    settle(runtime)

    assert notified(program) == [("acme", 1)]


def test_a_program_that_is_away_gets_each_call_later(runtime: Runtime, program: Program, store: SqlStore) -> None:
    """A permanent refusal is a dead letter. The others are sent with their own ids, and their rows are deleted."""
    runtime = replace(runtime, retry=RetryPolicy(first=1_000))
    ingest(batch(*(call(number) for number in range(4))), runtime, now=NOW)
    program.failures = [DeliveryError("no", Reason.CLIENT_ERROR), DeliveryError("down", Reason.SERVER_ERROR)]
    settle(runtime)
    assert sorted(row.status for row in rows(store, NOTIFICATIONS)) == ["dead", "pending"]
    settle(runtime, NOW + timedelta(seconds=1_000))

    assert len(notified(program)) == 3
    [dead] = rows(store, NOTIFICATIONS)
    assert {attempt.notification_id for attempt in rows(store, ATTEMPTS)} == {dead.id}
    [letter] = AdminStore(store.engine).dead_letters.search()
    assert (letter.kind, letter.channel) == ("notification", "program")


def test_as_many_are_on_their_way_at_once_as_the_channel_takes(runtime: Runtime, store: SqlStore) -> None:
    """Four answers are sent only once four messages have arrived."""
    crowd = Crowd()
    ingest(batch(*(call(number) for number in range(8))), runtime, now=NOW)
    settle(replace(runtime, channels={**runtime.channels, "program": crowd}))

    assert len(notified(crowd)) == 8


class Crowd(Program):
    """Answers once four messages have arrived."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Barrier(4, timeout=30)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Wait for the others."""
        self._gate.wait()
        return super().send(body, notification_id=notification_id)


def test_calls_from_litellms_webhook_are_passed_on(runtime: Runtime, program: Program, store: SqlStore) -> None:
    """This holds until its callback reports the same calls."""
    ingest(batch(reported(5)), runtime, now=NOW)
    beat = PublisherHeartbeat(
        boot_id="b1", host="p1", pid=1, version="1", started_at=NOW, occurred_at=NOW, integration="litellm"
    )
    ingest(batch(beat), runtime, now=NOW)
    ingest(batch(reported(6), call(6)), runtime, now=NOW)
    settle(runtime)

    assert notified(program) == [("acme", 5), ("acme", 6)]
    assert ("muted", "covered", 1) in [(row.name, row.label, row.value) for row in rows(store, COUNTERS)]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_long_lane_is_not_read_whole_for_each_message(runtime: Runtime, store: SqlStore) -> None:
    """Without statistics, SQLite reads the lane in order and looks up the alert's earlier messages."""
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    ingest(batch(call(1)), runtime, now=NOW)
    settle(runtime)
    with store.engine.connect() as connection:
        plan = [
            row[3]
            for statement, given in list(asked)
            if "AS earlier" in statement
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
        ]

    assert any("notifications_in_order (status=? AND channel=?)" in line for line in plan)
    assert any("earlier" in line and "(alert_id=? AND channel=?)" in line for line in plan)
    assert not [line for line in plan if ("SCAN" in line and line != "SCAN CONSTANT ROW") or "B-TREE" in line]
