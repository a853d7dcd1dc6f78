"""The cost of a report with our ledger and with LiteLLM's SQL, and the cost of a batch with a growing number of teams.

LiteLLM's statement is that of ``spend_management_endpoints.py`` (1.106.2). The log has the columns of ``schema.prisma``
without the bodies of requests, which would only make it larger.
``BENCH_REQUESTS`` (5,000,000) is how many requests a month has.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Engine, text

from alertworker.events import RequestSucceeded
from alertworker.folding import fold
from alertworker.ledger.reader import Days
from alertworker.reports import REPORTS, Calendar, ReportKind, containing
from alertworker.store import SqlLedgerReader, SqlStore, make_engine
from alertworker.store.migrations import upgrade
from bench import ledger_writes

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "5000000"))
MONTH = Days(date(2026, 10, 1), date(2026, 10, 31))
#: A year that starts and ends within a month, the worst case for monthly sums, and the year before it.
YEAR = Days(date(2025, 10, 15), date(2026, 10, 14))
YEAR_BEFORE = Days(date(2024, 10, 15), date(2025, 10, 14))
_LOG = """
CREATE TABLE "LiteLLM_TeamTable" (team_id text PRIMARY KEY, team_alias text);
INSERT INTO "LiteLLM_TeamTable" SELECT 'team-' || n, 'Team ' || n FROM generate_series(0, 999) n;
CREATE TABLE "LiteLLM_SpendLogs" (
  request_id text PRIMARY KEY, call_type text, api_key text, spend double precision, total_tokens int,
  prompt_tokens int, completion_tokens int, "startTime" timestamp(3), "endTime" timestamp(3), model text, "user" text,
  metadata jsonb,
  request_tags jsonb, team_id text, status text);
INSERT INTO "LiteLLM_SpendLogs" SELECT 'chatcmpl-' || gen_random_uuid(), 'acompletion',
  md5((n % 5000)::text) || md5(''), 0.001, 700, 500, 200, at, at + interval '2 s', 'azure/gpt-4o', 'user-' || n % 5000,
  '{"user_api_key_alias": "key"}',
  jsonb_build_array('tag-' || n % 10000, 'tag-' || (n / 7) % 10000), 'team-' || n % 1000, 'success'
  FROM (SELECT n, timestamp '2026-10-01' + n * (interval '30 days' / REQUESTS) AS at
  FROM generate_series(0, REQUESTS - 1) n) calls;
CREATE INDEX ON "LiteLLM_SpendLogs" ("startTime");
"""
_THEIRS = (
    """SELECT t.team_alias, SUM(s.spend) AS total_spend FROM "LiteLLM_SpendLogs" s LEFT JOIN "LiteLLM_TeamTable" t
    ON s.team_id = t.team_id WHERE s."startTime" >= '2026-10-01' AND s."startTime" < '2026-10-31'
    GROUP BY t.team_alias ORDER BY total_spend DESC""",
    """SELECT jsonb_array_elements_text(request_tags) AS tag, SUM(spend) AS total_spend FROM "LiteLLM_SpendLogs" s
    WHERE s."startTime" >= '2026-10-01' AND s."startTime" < '2026-10-31' GROUP BY tag ORDER BY total_spend DESC""",
)
#: 1,000 teams and 10,000 tags a day, each with one team.
_DAYS = """
INSERT INTO spend (dimension, day, team_id, entity, part, requests, failures, prompt_tokens, completion_tokens,
  cached_requests, zero_priced, spend_nanos) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL
  SELECT i + 1 FROM n WHERE i < {last}),
  days(d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM days WHERE d < {days} - 1)
  SELECT '{dimension}', {day}, 'team-' || (i % 1000), '{dimension}-' || i, '', 5, 0, 2500, 1000, 0, 0, 5000000 + i
  FROM days, n
"""
_MONTHS = """
INSERT INTO spend_months SELECT dimension, {month}, entity, team_id, sum(requests), sum(failures), sum(prompt_tokens),
  sum(completion_tokens), sum(cached_requests), sum(zero_priced), sum(spend_nanos) FROM spend GROUP BY 1, 2, 3, 4
"""


def measure(folder: Path) -> dict[str, str]:
    """Return the figures by name."""
    figures: dict[str, str] = {}
    with database() as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            for statement in _LOG.replace("REQUESTS", str(REQUESTS)).split(";\n")[:-1]:
                connection.execute(text(statement))
        vacuum(engine)
        theirs = seconds(lambda: [rows(engine, statement) for statement in _THEIRS])
        their_bytes = size(engine, '"LiteLLM_SpendLogs"')
        ours, our_bytes, more = _reports(engine)
        figures["LiteLLM's report, a month"] = f"{theirs:.2f} s, {their_bytes / 1e6:,.0f} MB, {REQUESTS:,} requests"
        figures["our report, 30 days, PostgreSQL"] = (
            f"{ours:.3f} s, {our_bytes * 365 / 1e6:,.0f} MB for a whole year of teams and tags"
        )
        figures["ratio"] = f"{theirs / ours:.0f} times in time, {their_bytes / (our_bytes * 30):.0f} in bytes a month"
        figures |= {f"{what}, PostgreSQL": figure for what, figure in more.items()}
    sqlite = make_engine(f"sqlite:///{folder / 'ledger.db'}")
    ours, _, more = _reports(sqlite)
    figures["our report, 30 days, SQLite"] = f"{ours:.3f} s"
    figures |= {f"{what}, SQLite": figure for what, figure in more.items()}
    sqlite.dispose()
    with database() as engine:
        figures |= ledger_writes.measure(engine)
    with database() as engine:
        for what, share in ledger_writes.worker_share(engine).items():
            figures[f"a worker's CPU for an event, {what}"] = share
    for teams in (10, 100, 1_000, 10_000, 100_000):
        with database() as engine:
            upgrade(engine)
            figures[f"a batch of 500 calls, {teams:,} teams in the day"] = f"{_batches(engine, teams) * 1e3:.1f} ms"
    return figures


def _reports(engine: Engine) -> tuple[float, float, dict[str, str]]:
    """Return the seconds to build a report of 30 days, and the bytes of one day's rows.

    Also return, as text, the seconds of a calendar month's report and of two years by team and by tag.
    """
    upgrade(engine)
    sqlite = engine.dialect.name == "sqlite"
    count = (MONTH.last - YEAR_BEFORE.first).days + 1
    day = f"date('{YEAR_BEFORE.first}', '+' || d || ' days')" if sqlite else f"date '{YEAR_BEFORE.first}' + d"
    with engine.begin() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET statement_timeout = 0")
        for dimension, last in (("team", 999), ("tag", 9_999)):
            connection.execute(text(_DAYS.format(dimension=dimension, last=last, day=day, days=count)))
        month = "date(day, 'start of month')" if sqlite else "date_trunc('month', day)::date"
        connection.execute(text(_MONTHS.format(month=month)))
    if not sqlite:
        vacuum(engine)
    ledger, calendar = SqlLedgerReader(engine), Calendar(ZoneInfo("UTC"), every_days=30)

    def built(kind: ReportKind) -> float:
        spec = REPORTS[kind]
        period = containing(spec.ending, calendar, MONTH.first)  # 17 September to 16 October, or October
        return seconds(lambda: spec.build(ledger, period, "UTC", None))

    years = [seconds(lambda named=named: ledger.totals(named, YEAR, before=YEAR_BEFORE)) for named in ("team", "tag")]  # type: ignore[misc]
    weight = 0 if sqlite else size(engine, "spend") + size(engine, "spend_months")
    words = {
        "our report of a calendar month": f"{built(ReportKind.MONTHLY):.3f} s",
        f"{YEAR.first} to {YEAR.last} beside the year before, by team, by tag": f"{years[0]:.2f} s, {years[1]:.2f} s",
    }
    return built(ReportKind.SPEND), weight / count, words


def _batches(engine: Engine, teams: int) -> float:
    """Return the median seconds to add a batch to the ledger when this many teams already have rows for the day."""
    store, now = SqlStore(engine), datetime.now(UTC)
    for start in range(0, teams, 10_000):
        _add(store, range(start, min(start + 10_000, teams)), now)
    vacuum(engine)
    taken = [_add(store, [(number * 500 + n) * 7919 % teams for n in range(500)], now) for number in range(12)]
    return statistics.median(taken[2:])


def _add(store: SqlStore, teams: Iterable[int], now: datetime) -> float:
    """Add one call of each team to the ledger in one batch, and return the seconds it took."""
    events = [
        RequestSucceeded(
            call_id="c",
            started_at=now,
            ended_at=now,
            occurred_at=now,
            team_id=f"team-{team}",
            model="gpt-4o",
            tags=("x",),
            cost_nanos=1,
        )
        for team in teams
    ]
    folded = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=now)
    start = time.perf_counter()
    store.run(lambda tx: tx.ledger.add(folded.ledger, max_entities=1_000_000))
    return time.perf_counter() - start


@contextmanager
def database() -> Iterator[Engine]:
    """Yield an empty PostgreSQL database."""
    name = f"alertworker_bench_{uuid4().hex[:8]}"
    with psycopg.connect("postgresql://127.0.0.1:5432/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        engine = make_engine(f"postgresql://127.0.0.1:5432/{name}")
        try:
            yield engine
        finally:
            engine.dispose()
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def vacuum(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")


def rows(engine: Engine, statement: str) -> int:
    with engine.connect() as connection:
        return len(connection.exec_driver_sql(statement).all())


def size(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_total_relation_size(:name)"), {"name": table}).scalar_one())


def seconds(work: Callable[[], object]) -> float:
    """Return the median of three runs, after one warm-up run."""
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])
