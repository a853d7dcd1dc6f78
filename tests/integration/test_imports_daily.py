"""LiteLLM's daily tables, written by its own statements: their import equals what our ledger would have had."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from alertworker.cli import cli
from alertworker.errors import AlertWorkerError
from alertworker.events import Failure, Origin, RequestFailed, RequestSucceeded
from alertworker.folding import fold
from alertworker.imports import litellm_daily, litellm_logs
from alertworker.imports.progress import History, Page
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.pipeline import Runtime
from alertworker.store import SqlLedgerReader, SqlStore, make_engine
from alertworker.store.schema.ledger import SPEND
from tests.integration.harness import rows
from tests.integration.litellm_tables import add_daily, make_tables
from tests.integration.test_imports import importing

pytestmark = pytest.mark.postgresql
FIRST = datetime(2025, 11, 17, tzinfo=UTC)
UNTIL = FIRST + timedelta(days=3)
DAYS = Days(FIRST.date(), UNTIL.date())
TEAMS = {"k1": "search", "k2": "search", "k3": "billing", "k4": None}
TABLES = ("User", "Team", "Tag", "EndUser", "Organization")
#: The dimensions that the daily tables lack.
UNKNOWN = {"deployment"}


def calls() -> list[RequestSucceeded | RequestFailed]:
    """Return calls over four days. The last day is already in our ledger. Costs are odd whole nano-dollars."""
    source = random.Random(11)
    made: list[RequestSucceeded | RequestFailed] = []
    for number in range(400):
        at = FIRST + timedelta(minutes=source.randrange(4 * 1440))
        key = source.choice(list(TEAMS))
        facts: dict[str, Any] = {
            "call_id": f"c{number}",
            "started_at": at,
            "ended_at": at,
            "occurred_at": at,
            "key_hash": key,
            "team_id": TEAMS[key],
            "user_id": source.choice(["u1", "u2", None]),
            "customer_id": source.choice(["c1", None]),
            "organization_id": "o1" if TEAMS[key] else None,
            "model_group": source.choice(["gpt-4o", "o3"]),
            "provider": "azure",
            "tags": tuple(source.sample("xyz", source.randint(0, 3))),
            "prompt_tokens": source.randint(0, 900),
            "completion_tokens": source.randint(0, 90),
            "cost_nanos": source.randint(0, 3) * 100_000_001,
        }
        if number % 20 == 0:
            failure = Failure(error_class="Timeout", origin=Origin.PROVIDER)
            made.append(RequestFailed.model_validate(facts | {"failure": failure}))
        else:
            made.append(RequestSucceeded.model_validate(facts))
    return made


def transaction(call: RequestSucceeded | RequestFailed) -> dict[str, Any]:
    """Return a call in the form that LiteLLM's writer of daily sums takes."""
    failed = isinstance(call, RequestFailed)
    return {
        "date": str(call.started_at.date()),
        "api_key": call.key_hash,
        "model": f"azure/{call.model_group}",
        "model_group": call.model_group,
        "custom_llm_provider": call.provider,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "api_requests": 1,
        "successful_requests": int(not failed),
        "failed_requests": int(failed),
        "spend": (call.cost_nanos or 0) / 1e9,
    }


@pytest.fixture
def litellm(postgresql_url: str) -> Iterator[Engine]:
    """Return LiteLLM's daily tables as its proxy writes them, with two names."""
    engine = make_engine(postgresql_url)
    try:
        with engine.begin() as connection:
            make_tables(connection, *(f"LiteLLM_Daily{table}Spend" for table in TABLES), "LiteLLM_TeamTable")
            for start in range(0, 400, 100):  # four flushes
                flushed = [(call, transaction(call)) for call in calls()[start : start + 100]]
                add_daily(connection, "user", [row | {"user_id": call.user_id} for call, row in flushed])
                add_daily(
                    connection, "team", [row | {"team_id": call.team_id} for call, row in flushed if call.team_id]
                )
                add_daily(connection, "tag", [row | {"tag": tag} for call, row in flushed for tag in call.tags])
                ends = [row | {"end_user_id": call.customer_id} for call, row in flushed if call.customer_id]
                add_daily(connection, "end_user", ends)
                orgs = [
                    row | {"organization_id": call.organization_id} for call, row in flushed if call.organization_id
                ]
                add_daily(connection, "org", orgs)
            team = (
                "INSERT INTO \"LiteLLM_TeamTable\" (team_id, team_alias, updated_at) VALUES ('search', 'Search', now())"
            )
            connection.execute(text(team))
        yield engine
    finally:
        engine.dispose()


def ours(calls: list[RequestSucceeded | RequestFailed], runtime: Runtime) -> dict[SpendKey, SpendSums]:
    """Return the ledger that the same calls would have made, without the dimensions that the daily tables lack."""
    before = [call for call in calls if call.occurred_at < UNTIL]
    spend = fold(before, slow_seconds=300, zone=runtime.zone, now=UNTIL).ledger.spend()
    for sums in spend.values():
        sums.zero_priced = 0
    unknown = {key for key in spend if key.dimension in UNKNOWN or (key.dimension, key.entity) == ("tag", "")}
    return {key: sums for key, sums in spend.items() if key not in unknown}


def entered(store: SqlStore) -> dict[SpendKey, SpendSums]:
    """Read the ledger."""
    return {SpendKey(row.day, row.dimension, *row[2:5]): SpendSums(*row[5:]) for row in rows(store, SPEND)}


def test_an_import_with_many_stops_equals_our_own_ledger(
    store: SqlStore, runtime: Runtime, litellm: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums are equal in every dimension, to the nano-dollar, up to the cut-over. Then nothing is left to import."""
    monkeypatch.setattr(litellm_daily, "PAGE", 7)
    history, taken = History(store.engine), Counter[str]()
    while True:
        begun = history.begin("litellm daily", UNTIL)
        spend = litellm_daily.DailySpend(litellm, None, UNTIL.date())
        page = next(iter(history.take(begun, spend.pages(begun.cursor), max_entities=99)), None)
        if page is None:
            break
        taken["pages"] += 1
        taken["rows"] += page.rows

    assert entered(store) == ours(calls(), runtime)
    assert taken["pages"] > 15
    assert litellm_daily.DailySpend(litellm, None, UNTIL.date()).left("") == (taken["rows"], FIRST.date())
    (search, *_) = SqlLedgerReader(store.engine).totals("team", DAYS)
    assert (search.entity, search.alias) == ("search", "Search")


def test_the_import_agrees_with_litellms_days(
    store: SqlStore, litellm: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands import, import again, and reconcile in each dimension."""
    importing(store, tmp_path, monkeypatch)
    monkeypatch.setattr("alertworker.app.build_ledger_reader", lambda: SqlLedgerReader(store.engine))
    monkeypatch.setattr("alertworker.imports.litellm_database.open_database", lambda _url: litellm)
    address = ["--litellm-database-url", "postgresql://litellm"]
    command = ["spend", "import", "--daily", "--since", "2025-11-18", "--until", "2025-11-20", *address]
    outputs = [CliRunner().invoke(cli, command) for _ in range(2)]
    assert [result.exit_code for result in outputs] == [0, 0], outputs[0].output
    assert "litellm daily: 0 rows read, before the cut-over 2025-11-20 00:00" in outputs[1].output

    days = ["--since", "2025-11-18", "--until", "2025-11-19", *address]
    for dimension in ("total", "team", "tag", "key", "user", "customer", "organization"):
        result = CliRunner().invoke(cli, ["spend", "reconcile", "--by", dimension, *days])
        assert ", 0 differ." in result.output, result.output
        assert not result.output.startswith("0 compared")


def test_the_log_and_the_daily_sums_of_the_same_days_are_not_both_taken(store: SqlStore) -> None:
    """They contain the same calls: the second import must begin where the first one ends."""
    history = History(store.engine)
    all_there_is = [Page("end", 0, Postings())]
    list(history.take(history.begin("litellm daily", UNTIL, beside="litellm"), all_there_is, max_entities=9))
    with pytest.raises(
        AlertWorkerError, match=r"litellm daily has imported the same calls .no --since --until 2025-11-20"
    ):
        history.begin("litellm", UNTIL + timedelta(days=5), since=UNTIL - timedelta(days=1), beside="litellm daily")
    begun = history.begin("litellm", UNTIL + timedelta(days=5), since=UNTIL, beside="litellm daily")
    assert (begun.since, begun.until) == (UNTIL, UNTIL + timedelta(days=5))
    list(history.take(begun, all_there_is, max_entities=9))
    with pytest.raises(AlertWorkerError, match="was started with --since 2025-11-20"):
        history.begin("litellm", None, since=UNTIL - timedelta(days=1), beside="litellm daily")


def test_a_log_begins_with_the_calls_that_began_then(litellm: Engine) -> None:
    """A call over midnight then counts for the day of its start, as in the daily sums, and only there."""
    with litellm.begin() as connection:
        make_tables(connection, "LiteLLM_SpendLogs")
        for name, start in (("a", FIRST - timedelta(seconds=1)), ("b", FIRST)):
            values = {
                "id": name,
                "start": start.replace(tzinfo=None),
                "end": (FIRST + timedelta(9)).replace(tzinfo=None),
            }
            call = """INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, "startTime", "endTime", updated_at)
                VALUES (:id, 'x', :start, :end, :end)"""
            connection.execute(text(call), values)
    logs = litellm_logs.SpendLogs(litellm, zone=ZoneInfo("UTC"), since=FIRST, until=FIRST + timedelta(days=10))

    assert (logs.left(""), [page.rows for page in logs.pages("")]) == ((1, (FIRST + timedelta(9)).date()), [1])
