"""Neither the pipeline nor a page costs more on a store with years of history than on an empty one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine

from alertworker.pipeline import sweep
from alertworker.ports.alert_search import AlertFilter
from alertworker.store import SqlStore, make_engine
from alertworker.store.migrations import upgrade
from alertworker.store.schema import METADATA
from tests.fixtures.previous.make import Pipeline, fill
from tests.integration.harness import NOW
from tests.integration.history import BOUNDED, GROWING, fill_with_history
from tests.integration.pages import signed_in
from tests.integration.plans import instructions, recorded

_NEWEST: Final = "the newest rows, in the order of the index, up to a limit"
#: Statements that read an index or a table from its beginning, by what follows the columns, with the reason.
ALLOWED: Final[Mapping[str, str]] = {
    "FROM alerts ORDER BY alerts.opened_at DESC, alerts.id DESC LIMIT": _NEWEST,
    "IS NULL ORDER BY alerts.opened_at DESC, alerts.id DESC LIMIT": f"closed alerts: {_NEWEST}; few are open",
    "FROM dead_letters ORDER BY dead_letters.created_at DESC, dead_letters.id DESC LIMIT": _NEWEST,
    "FROM publishers WHERE coalesce(publishers.stopped_at, publishers.lost_at) IS NOT NULL ORDER BY": _NEWEST,
    "FROM budgets WHERE budgets.closed IS": f"ended budgets: {_NEWEST}; a budget has one row, whatever its age",
    "FROM dead_letters GROUP BY dead_letters.kind": "each letter waits for a person; counted by a small index",
    "FROM processes WHERE processes.seen_at >=": "a running process has one row; the rows of ended ones are deleted",
    "FROM aliases WHERE aliases.last_at <": "once an hour; a name has one row, whatever its age",
    "FROM credentials WHERE credentials.level =": "once an hour; a credential has one row, whatever its age",
    "GROUP BY drops.boot_id, drops.reason": "a report, which may be of a month",
    "DELETE FROM sessions WHERE sessions.ends_at <=": "at a login; here all sessions have ended and are deleted",
}
PAGES: Final = (
    "/",
    "/alerts",
    "/alerts?state=closed",
    "/alerts?state=open",
    "/alerts?severity=High&state=firing",
    "/alerts?type=llm_exceptions",
    "/alerts?since=24h",
    "/alerts?labels=team%3D%22nobody%22",
    "/alerts/00000007-id",
    "/silences",
    "/silences/new",
    "/budgets",
    "/spend",
    "/spend?by=tag",
    "/proxies",
    "/deadletters",
    "/deadletters?kind=event",
    "/deadletters?after=00001000-id",
    "/deadletters/00000007-id",
    "/metrics",
    "/health/readiness",
)


def test_every_statement_finds_its_rows_by_an_index(store: SqlStore) -> None:
    """Ingest, sweep, reports, delivery, retention and pages, each with something to do."""
    fill_with_history(store, 1_000)
    pipeline = Pipeline(store)
    with recorded(store.engine) as plans:
        fill(pipeline)
        for seconds in (1, 2, 62, 3_700):
            sweep(pipeline.runtime, now=NOW + timedelta(seconds=seconds))
        pipeline.send(3_700)
        browser = signed_in(store, pipeline.runtime)
        newest = pipeline.admin.alerts.search(AlertFilter()).alerts[0]
        for path in (*PAGES, f"/alerts/{newest.id}"):
            assert browser.client.get(path).status_code in (200, 503), path

    scans = {" ".join(sql.split()): tables for sql, tables in plans.items() if tables}
    wrong = {sql: tables for sql, tables in scans.items() if not any(allowed in sql for allowed in ALLOWED)}
    assert len(plans) > 200
    assert wrong == {}
    executed = [" ".join(sql.split()) for sql in plans]
    assert [allowed for allowed in ALLOWED if not any(allowed in sql for sql in executed)] == []


def test_every_table_is_known_to_grow_or_not_to() -> None:
    """The list of growing tables is the schema's, less the named ones."""
    assert METADATA.tables.keys() == GROWING | BOUNDED.keys()
    assert GROWING.isdisjoint(BOUNDED)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(make_engine(f"sqlite:///{tmp_path / 'history.db'}"))
    upgrade(store.engine)
    yield store
    store.engine.dispose()


def test_an_idle_sweep_executes_no_more_with_history(sqlite: SqlStore) -> None:
    """The number of SQLite's instructions shows it, even if an index leads to many rows."""
    pipeline = Pipeline(sqlite)

    def work(seconds: float) -> int:
        sweep(pipeline.runtime, now=NOW + timedelta(seconds=seconds))
        with instructions(sqlite.engine) as counted:
            sweep(pipeline.runtime, now=NOW + timedelta(seconds=seconds + 1))
        return counted[0]

    before = work(0)
    fill_with_history(sqlite, 1_000)

    assert work(6) < before + 1_000


def test_pages_and_idle_sweeps_need_no_write_lock(sqlite: SqlStore) -> None:
    """A writer holds the lock for as long as they run."""
    pipeline = Pipeline(sqlite)
    fill(pipeline)
    pipeline.send(0)
    sweep(pipeline.runtime, now=NOW)
    browser = signed_in(sqlite, pipeline.runtime)
    newest = pipeline.admin.alerts.search(AlertFilter()).alerts[0]
    letter = pipeline.admin.dead_letters.search()[0]
    with writing(sqlite.engine):
        sweep(pipeline.runtime, now=NOW + timedelta(seconds=0.5))
        paths = [path for path in PAGES if "-id" not in path]
        answers = {
            path: browser.client.get(path).status_code
            for path in (*paths, f"/alerts/{newest.id}", f"/deadletters/{letter.id}")
        }

    assert answers.pop("/health/readiness") == 503  # no canary has come back lately
    assert set(answers.values()) == {200}


@contextmanager
def writing(engine: Engine) -> Iterator[None]:
    """Hold SQLite's write lock. Commands that wait for it fail at once."""
    other = make_engine(engine.url.render_as_string(hide_password=False))
    with other.begin():
        yield
    other.dispose()
