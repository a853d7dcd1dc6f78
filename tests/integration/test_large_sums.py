"""Valid calls may cost so much that the sum of their rows exceeds SQL's bigint. No sum and no total fails then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import BigInteger, Integer, insert, select

from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.events import Canary
from alertworker.events.base import MAX_COST, MAX_EVENTS
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.ledger.rows import MAX_TOTAL, LatencyKey, LatencySums
from alertworker.pipeline import BatchMessage, Runtime, ingest, sweep
from alertworker.pipeline.report import Reporter
from alertworker.reports import Calendar
from alertworker.store import SqlLedgerReader, SqlStore
from alertworker.store.rows import Rows
from alertworker.store.schema import METADATA
from alertworker.store.schema.base import Summed
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.store.schema.ledger import LATENCIES, SPEND, SPEND_MONTHS
from alertworker.store.sums import capped_sum, most_of
from alertworker.store.upsert import Statements
from tests.integration.harness import NOW, Outbox, answered, assert_ledger_agrees, batch, rows, run_until_quiet

TODAY = Days(NOW.date(), NOW.date())
#: As many teams as there are rows of the largest sum in twice a bigint.
TEAMS = 200


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with a threshold for users, and with a budget for each of them."""
    budgets = (OwnBudget(dimension="user", max=100, period="day", thresholds=()),)
    return replace(runtime, users=UserPolicy(daily_nanos=1, monthly_nanos=1, anomalies=True), budgets=budgets)


def fill(store: SqlStore, teams: Iterable[int] = range(TEAMS)) -> None:
    """Post the dearest batch that there can be, once for each team; all are calls of one user."""
    ledger = Postings()
    for number in teams:
        call = answered("c", team_id=f"t{number}", user_id="u1", tags=("x",), cost_nanos=MAX_COST, prompt_tokens=10**9)
        for _ in range(3):
            ledger.add_end(call, NOW.date(), NOW)
    for sums in ledger.calls.values():
        sums.spend_nanos, sums.prompt_tokens = MAX_EVENTS * MAX_COST, 10**18
    store.run(lambda tx: tx.ledger.add(ledger, max_entities=1_000))


def test_a_budget_of_an_entity_with_a_huge_spend_is_judged(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """SQLite could never sum the user's rows again. PostgreSQL refused to store the sum."""
    fill(store)
    ingest(batch(answered("c1", user_id="u1")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert [row.spend_nanos for row in rows(store, BUDGETS)] == [MAX_TOTAL]
    assert "User u1: budget of $100 used up" in [message.headline for message in outbox.sent]


def test_a_users_threshold_is_checked_whatever_users_spent(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    fill(store)
    sweep(runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert len([message for message in outbox.sent if message.headline.startswith("User u1: $4,000,000,000")]) == 3
    assert [type(event) for event in runtime.broker.published] == [Canary]  # type: ignore[attr-defined]


def test_reports_and_totals_are_read_whatever_was_spent(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Totals stop at the largest one, and each report is sent."""
    fill(store)
    book = SqlLedgerReader(store.engine)

    assert book.total(TODAY).spend_nanos == book.total(TODAY).prompt_tokens == MAX_TOTAL
    assert book.spent("user", "u1", TODAY).spend_nanos == MAX_TOTAL
    assert [row.sums.spend_nanos for row in book.totals("tag", TODAY, before=TODAY)] == [MAX_TOTAL]
    assert book.by_day(TODAY)[NOW.date()].spend_nanos == MAX_TOTAL
    assert book.top_contributors("user", "u1", TODAY, limit=3)["model"][0].sums.spend_nanos == MAX_TOTAL
    reporter = Reporter(runtime, book, Calendar(ZoneInfo("UTC")))
    for later in (timedelta(days=1), timedelta(days=9), timedelta(days=40)):
        reporter.send_due(now=NOW + later)
    run_until_quiet(runtime, NOW + timedelta(days=40))
    assert {message.type.value for message in outbox.sent} >= {"spend_reports", "daily_reports"}


def test_one_entity_gets_more_than_a_row_holds_in_one_batch(runtime: Runtime, store: SqlStore) -> None:
    """Tags beyond the cap share a row, and each call has up to 32 of them."""
    events = [answered(f"c{n}", tags=[f"{n}-{tag}" for tag in range(32)], cost_nanos=MAX_COST) for n in range(300)]
    for number in range(2):
        ingest(batch(*events, batch_id=f"b{number}"), replace(runtime, max_entities=1), now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    [shared] = [row for row in rows(store, SPEND) if row.entity == "(other)" and row.dimension == "tag"]
    assert shared.spend_nanos == most_of(SPEND.c.spend_nanos)
    assert {row.spend_nanos for row in rows(store, SPEND_MONTHS) if row.entity == "(other)"} == {shared.spend_nanos}


def test_rows_that_are_full_are_counted_as_rows_of_their_day(store: SqlStore) -> None:
    """A row is new if it equals its posting, also if the posting was cut."""
    fill(store, range(3))
    assert_ledger_agrees(store)


def test_durations_never_overflow_their_sum(store: SqlStore) -> None:
    """A proxy with a wrong clock reports 30 days for each call."""
    ledger = Postings(latencies={LatencyKey(NOW.date(), "d1", "per_token", 248): LatencySums(1, 2**63 - 1)})
    for _ in range(3):
        store.run(lambda tx: tx.ledger.add(ledger, max_entities=10))
    [latency] = rows(store, LATENCIES)
    assert (latency.count, latency.microseconds) == (3, most_of(LATENCIES.c.microseconds))


#: The columns of each table that grow with what producers send.
GROWING = {
    table.name: [column for column in table.columns if isinstance(column.type, Summed)]
    for table in METADATA.sorted_tables
}


#: Tests of their own are about these two, whose rows are not only added to.
OTHERS = {"alerts", "budgets"}


@pytest.mark.parametrize("name", sorted({name for name, columns in GROWING.items() if columns} - OTHERS))
def test_no_row_of_a_sum_overflows(store: SqlStore, name: str) -> None:
    """A row is full after the first posting, and stays so."""
    table, values = METADATA.tables[name], {column.key: 10**30 for column in GROWING[name]}
    keys = {column.key for column in table.primary_key}
    filler = {column.key: _value(column.type) for column in table.columns if column.key in keys or not column.nullable}
    filler = {key: value for key, value in filler.items() if key not in values}
    row, latest = filler | values, tuple(filler.keys() - keys)
    with store.engine.begin() as connection:
        for _ in range(2):
            Statements(connection)._add(table, Rows(tuple(row), [tuple(row.values())]), latest=latest)
        found = connection.execute(select(*GROWING[name])).one()
        total = connection.execute(select(*(capped_sum(column) for column in GROWING[name]))).one()

    assert list(found) == [most_of(column) for column in GROWING[name]]
    assert [int(value) for value in total] == list(found)


def _value(kind: Any) -> object:
    return 1 if isinstance(kind, Integer) else NOW.date() if kind.python_type.__name__ == "date" else "x"


@pytest.mark.parametrize("count", [1, 3, 1_000])
@pytest.mark.parametrize("value", [0, 1, 2**31 - 1, 2**31, 10**15 + 7, 10**17, 9 * 10**18])
def test_a_capped_sum_is_exact_up_to_its_cap(store: SqlStore, count: int, value: int) -> None:
    """Rows of the previous version may hold more than a row may hold now."""
    made = [dict.fromkeys((column.key for column in GROWING["spend"]), 0) for _ in range(count)]
    keys = {"dimension": "team", "day": NOW.date(), "entity": "", "part": ""}
    with store.engine.begin() as connection:
        values = [row | keys | {"team_id": f"{n}", "spend_nanos": value} for n, row in enumerate(made)]
        connection.execute(insert(SPEND), values)
        total = connection.execute(select(capped_sum(SPEND.c.spend_nanos))).scalar_one()

    assert int(total) == min(count * value, MAX_TOTAL)


def test_a_capped_sum_of_no_rows_is_null(store: SqlStore) -> None:
    with store.engine.begin() as connection:
        assert connection.execute(select(capped_sum(SPEND.c.spend_nanos), capped_sum(SPEND.c.requests))).one() == (
            None,
            None,
        )


def test_an_alert_counts_up_to_the_largest_count(runtime: Runtime, store: SqlStore) -> None:
    """One event of LiteLLM's own alerting may stand for a billion occurrences."""
    times = {"occurred_at": NOW.isoformat()}
    event = {"type": "litellm.alert.relayed", "alert_type": "db_exceptions", "headline": "x", "count": 10**9, **times}
    for number in range(3):
        ingest(BatchMessage(f"b{number}", [event] * 1_000), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert {row.count for row in rows(store, METADATA.tables["alerts"])} == {10**12}


def test_every_large_integer_is_a_sum_or_is_known_to_be_bounded() -> None:
    """A new column of a producer's numbers is a `Summed`, so that its rows and its totals are capped."""
    large = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, BigInteger) and not isinstance(column.type, Summed)
    }

    assert large == {
        # Moments of events, which are in this century.
        *(f"{name}.bucket" for name in BUCKETS),
        "credentials.last_success", "credentials.over_until", "credential_refusals.last_refusal",
        "deployment_causes.first_failure", "deployment_causes.last_failure", "deployment_windows.last_success",
        "model_outages.over_until", "outages.over_until",
        # An alert's count, which is capped.
        "alert_members.position",
        # Set, not added up: each is a bounded field of an event.
        "processes.pid", "publishers.backlog", "publishers.inflight", "publishers.pid", "publishers.published",
        # Rows of an import, which an operator runs.
        "imports.rows",
    }  # fmt: skip


BUCKETS = ("credential_refusals", "deployment_causes", "deployment_failing_keys", "deployment_windows", "model_calls",
           "outage_calls")  # fmt: skip
