"""``alertworker spend``: exact for programs, readable for people, and explicit about what it cannot do."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from alertworker.cli import cli
from alertworker.pipeline import Runtime, ingest
from alertworker.store import AdminStore, SqlLedgerReader, SqlStore
from tests.integration.harness import NOW, answered, batch


@pytest.fixture
def ledger(store: SqlStore, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Post the calls of two teams, one with a name that rich would take for markup."""
    ingest(
        batch(
            answered("a", team_alias="[red]Search", tags=("x", "y"), cost_nanos=1_234_567_890_123),
            answered("b", team_id=None, tags=("x",), cost_nanos=1),
        ),
        runtime,
        now=NOW,
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alertworker.app.build_ledger_reader", lambda: SqlLedgerReader(store.engine))
    monkeypatch.setattr("alertworker.app.build_admin_store", lambda: AdminStore(store.engine))
    monkeypatch.setenv("COLUMNS", "200")


def spend(*arguments: str) -> str:
    """Run the command on the test's day."""
    result = CliRunner().invoke(cli, ["spend", "--until", str(NOW.date()), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("ledger")
def test_machines_get_exact_dollars() -> None:
    """The amount is exact to the nano-dollar, as a string, in JSON and in CSV."""
    first, second = (json.loads(line) for line in spend("--json").splitlines())
    assert (first["entity"], first["alias"], first["spend"]) == ("search", "[red]Search", "1234.567890123")
    assert (second["entity"], second["spend"], second["requests"]) == ("", "0.000000001", 1)
    rows = list(csv.DictReader(io.StringIO(spend("--csv", "--by", "tag"), newline="")))
    assert [(row["entity"], row["spend"]) for row in rows] == [("x", "1234.567890124"), ("y", "1234.567890123")]


@pytest.mark.usefixtures("ledger")
def test_people_get_a_table_with_a_total_that_counts_each_request_once() -> None:
    """Two tags of one call are two rows, and the total is not their sum. A limit does not change the total."""
    text = spend("--by", "tag", "--limit", "1")
    assert "$1,234.57" in text
    (total,) = [line for line in text.splitlines() if "all requests" in line]
    assert re.search(r"all requests\S*\s+2 ", total)
    assert "[red]Search (search)" in spend()
    assert "(no team)" in spend()
    assert "(no team)" not in spend("--team", "search")


def test_next_to_nothing_before_is_no_number_to_print(
    store: SqlStore, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a nano-dollar last week, any spend is a change of billions of per cent. Pairs have both names."""
    before = answered("a", key_hash="h1", user_id="u1", cost_nanos=1).model_copy(
        update={"occurred_at": NOW - timedelta(days=8)}
    )
    ingest(batch(before, answered("b", key_hash="h1", user_id="u1", cost_nanos=10**9)), runtime, now=NOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alertworker.app.build_ledger_reader", lambda: SqlLedgerReader(store.engine))
    monkeypatch.setattr("alertworker.app.build_admin_store", lambda: AdminStore(store.engine))
    monkeypatch.setenv("COLUMNS", "200")

    text = spend("--by", "user/key")
    assert "> 9,999 %" in text
    assert "u1 / app (h1)" in text


@pytest.mark.usefixtures("ledger")
def test_days_in_the_wrong_order_are_refused() -> None:
    """The error has the parsed days."""
    result = CliRunner().invoke(cli, ["spend", "--since", "2026-11-25", "--until", "2026-11-24"])
    assert result.exit_code == 2
    assert "--since 2026-11-25 is after --until 2026-11-24" in result.output


@pytest.mark.usefixtures("ledger")
def test_days_at_the_ends_of_the_calendar_are_answered() -> None:
    """The last possible day has no day after it, and the first one has none before it to compare with."""
    assert "search" in CliRunner().invoke(cli, ["spend", "--since", "2026-11-01", "--until", "9999-12-31"]).output
    for first in (["--since", "0001-01-01"], ["--until", "0001-01-03"]):
        result = CliRunner().invoke(cli, ["spend", *first])
        assert (result.exit_code, "pass a later --since" in result.output) == (2, True)


@pytest.mark.usefixtures("ledger")
def test_days_around_a_change_of_the_zone_are_marked(store: SqlStore) -> None:
    """The note is on the error output, because programs read the figures."""
    for name, at in (("UTC", NOW - timedelta(days=2)), ("Asia/Tokyo", NOW)):
        store.run(lambda tx, name=name, at=at: tx.time_zone.keep_zone(name, now=at))  # type: ignore[misc]
    result = CliRunner().invoke(cli, ["spend", "--until", str(NOW.date()), "--json"])

    assert "Note: time_zone changed from UTC to Asia/Tokyo at 2026-11-23 23:02:11 JST" in result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert "Note" not in CliRunner().invoke(cli, ["spend", "--until", "2026-10-01"]).stderr
