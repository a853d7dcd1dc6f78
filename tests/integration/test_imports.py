"""Imports from other ledgers: everything is taken once, up to the cut-over, however often the import is interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from alertworker.budgets.configured import CapExemptions, OwnBudget
from alertworker.cli import cli
from alertworker.errors import AlertWorkerError
from alertworker.imports import files, litellm_logs, progress
from alertworker.imports.litellm_database import open_database
from alertworker.imports.progress import History
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlLedgerReader, SqlStore, make_engine
from alertworker.store.migrations import upgrade
from alertworker.store.schema.ledger import ALIASES, LATENCIES, OUTCOMES, SPEND, SPEND_MONTHS, SPEND_SIZES
from tests.integration.harness import NOW, answered, batch, failed, rows
from tests.integration.litellm_tables import add_daily, make_tables

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = Days(UNTIL.date() - timedelta(days=5), UNTIL.date())
CALL = """INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, prompt_tokens, completion_tokens,
    "startTime", "endTime", "completionStartTime", model, model_id, model_group, custom_llm_provider, "user", cache_hit,
    request_tags, team_id, end_user, status, metadata, updated_at) VALUES (:id, 'acompletion', 'hash', :spend, 3,
    :tokens, :at, :ended, :ended, 'azure/gpt-4o', 'd1', 'gpt-4o', 'azure', 'u1', 'False', CAST(:tags AS jsonb), :team,
    'c1', :status, CAST(:metadata AS jsonb), :ended)"""


@pytest.fixture
def litellm(postgresql_url: str) -> Iterator[Engine]:
    """Return LiteLLM's spend log with 250 calls before the cut-over, one after it, and an impossible call."""
    engine = make_engine(postgresql_url)
    try:
        with engine.begin() as connection:
            make_tables(connection, "LiteLLM_SpendLogs")
            for number in range(252):
                at = UNTIL.replace(tzinfo=None) - timedelta(hours=1 + number % 90, seconds=number)
                ended = at + timedelta(seconds=2)
                values = {
                    "id": f"r{number:03}",
                    "at": at,
                    "ended": ended,
                    "spend": 0.1,
                    "tokens": 4,
                    "tags": '["x", "y"]',
                }
                values |= {"team": "search", "status": "success", "metadata": '{"user_api_key_team_alias": "Search"}'}
                if number == 250:
                    values["ended"] = UNTIL.replace(tzinfo=None)
                if number == 251:
                    values["tokens"] = -1
                if number < 10:
                    values |= {"status": "failure", "metadata": '{"error_information": {"error_class": "Timeout"}}'}
                connection.execute(text(CALL), values)
        yield engine
    finally:
        engine.dispose()


@pytest.mark.postgresql
def test_a_spend_log_is_taken_once_up_to_its_cutover(
    store: SqlStore, litellm: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import is interrupted, resumed, and started again: every call before the cut-over counts once."""
    monkeypatch.setattr(litellm_logs, "PAGE", 100)
    progress, logs = History(store.engine), litellm_logs.SpendLogs(litellm, ZoneInfo("UTC"), None, UNTIL)
    next(iter(progress.take(progress.begin("litellm", UNTIL), logs.pages(""), max_entities=100)))
    for _ in range(2):
        again = progress.begin("litellm", None)
        left = logs.left(again.cursor)
        taken = list(progress.take(again, logs.pages(again.cursor), max_entities=100))
        assert sum(page.rows for page in taken) == left.rows

    ledger = SqlLedgerReader(store.engine)
    total = ledger.total(DAYS)
    assert (total.requests, total.failures, total.spend_nanos) == (250, 10, 25_000_000_000)
    assert logs.refused == 1
    assert [(row.entity, row.alias, row.sums.requests) for row in ledger.totals("team", DAYS)] == [
        ("search", "Search", 250)
    ]
    assert {row.entity: row.sums.requests for row in ledger.totals("tag", DAYS)} == {"x": 250, "y": 250}
    (deployment,) = ledger.deployments(DAYS)
    assert (deployment.attempts["succeeded"], deployment.per_token.mean) == (240, 0.5)


def keep_spend(folder: Path, days: int) -> None:
    """Set how many days the ledger is kept."""
    (folder / "config.yaml").write_text(f"alertworker: {{spend_retention_days: {days}}}")


def importing(store: SqlStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command import into the test's store, on every date."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALERTWORKER_CONFIG", str(folder / "config.yaml"))
    keep_spend(folder, 10_000)
    monkeypatch.setattr("alertworker.app.build_history", lambda: History(store.engine))


def test_two_imports_of_one_source_do_not_count_twice(store: SqlStore, tmp_path: Path) -> None:
    """The second import finds the cursor moved, and stops."""
    path = tmp_path / "old.ndjson"
    path.write_text('{"day": "2026-11-18", "requests": 2, "spend": 1.5, "team": "t"}\n')
    progress = History(store.engine)
    both = [progress.begin("old", UNTIL), progress.begin("old", UNTIL + timedelta(days=1))]
    list(progress.take(both[0], files.SpendFile(path, UNTIL.date()).pages(""), max_entities=9))
    for begun in both:
        with pytest.raises(AlertWorkerError, match="another import of old is running"):
            list(progress.take(begun, files.SpendFile(path, UNTIL.date()).pages(""), max_entities=9))

    assert SqlLedgerReader(store.engine).total(DAYS).spend_nanos == 1_500_000_000


def test_an_import_keeps_entities_with_a_budget_past_the_cap(store: SqlStore, tmp_path: Path) -> None:
    """The exemption is the same as for batches."""
    path = tmp_path / "old.ndjson"
    row = '{"day": "2026-11-18", "requests": 1, "spend": 1, "tags": ["%s"]}\n'
    path.write_text("".join(row % tag for tag in ("a", "b", "c", "named")))
    progress, exempt = History(store.engine), CapExemptions((OwnBudget(dimension="tag", entity="named", max=1),))
    pages = files.SpendFile(path, UNTIL.date()).pages("")
    list(progress.take(progress.begin("old", UNTIL), pages, max_entities=1, exempt=exempt))

    tags = {row.entity for row in SqlLedgerReader(store.engine).totals("tag", DAYS)}
    assert tags == {"a", "named", "(other)"}


def test_files_are_exact_and_end_at_the_cutover(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows as CSV and NDJSON, by the command. A later cut-over is refused."""
    importing(store, tmp_path, monkeypatch)
    (tmp_path / "a.csv").write_text(
        "day,team,model,tags,requests,spend\n"
        "2026-11-18,search,gpt-4o,x;y,3,0.123456789\n2026-11-20,search,gpt-4o,,9,9\n2026-11-19,,,,1,2\n"
    )
    (tmp_path / "b.ndjson").write_text('{"day": "2026-11-18", "tags": ["x"], "requests": 1, "spend": 0.000000001}\n')
    for name in ("a.csv", "a.csv", "b.ndjson"):
        result = CliRunner().invoke(cli, ["spend", "import", name, "--until", "2026-11-20"])
        assert result.exit_code == 0, result.output
    ledger = SqlLedgerReader(store.engine)
    assert (ledger.total(DAYS).requests, ledger.total(DAYS).spend_nanos) == (5, 2_123_456_790)
    assert {row.entity: row.sums.spend_nanos for row in ledger.totals("tag", DAYS)} == {
        "": 2_000_000_000,
        "x": 123_456_790,
        "y": 123_456_789,
    }

    result = CliRunner().invoke(cli, ["spend", "import", "a.csv", "--until", "2026-11-21"])
    assert isinstance(result.exception, AlertWorkerError)
    assert "was started with --until 2026-11-20" in str(result.exception)


def test_a_cut_over_within_a_day_is_for_logs_alone(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daily sums cannot be split. A spend log can, at the time of our own first event."""
    importing(store, tmp_path, monkeypatch)
    (tmp_path / "a.csv").write_text("day,requests,spend\n")
    moment = ["--until", "2025-11-20T15:04:00+01:00"]
    for source in (["a.csv"], ["--daily", "--litellm-database-url", "postgresql://litellm"]):
        result = CliRunner().invoke(cli, ["spend", "import", *source, *moment])
        assert (result.exit_code, "daily sums have no hours" in result.output) == (2, True)
    log = litellm_logs.SpendLogs(store.engine, ZoneInfo("UTC"), None, UNTIL)
    monkeypatch.setattr(litellm_logs, "SpendLogs", lambda *_: log)
    monkeypatch.setattr(log, "pages", lambda _: [progress.Page("end", 0, Postings())])
    monkeypatch.setattr(log, "left", lambda _: progress.Left(0, None))
    result = CliRunner().invoke(cli, ["spend", "import", "--litellm-database-url", "postgresql://litellm", *moment])

    assert "before the cut-over 2025-11-20 14:04:" in result.output
    assert History(store.engine).begin("litellm", None).until == datetime(2025, 11, 20, 14, 4, tzinfo=UTC)


def test_a_cut_over_that_litellm_has_not_written_up_to_is_refused(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM writes calls late and in any order, and rows before the last page are never read again."""
    importing(store, tmp_path, monkeypatch)
    just_now = (datetime.now(UTC) - timedelta(minutes=9)).isoformat(timespec="seconds")
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    for arguments in (["--until", just_now], ["--until", tomorrow], ["--daily", "--until", tomorrow]):
        command = ["spend", "import", "--litellm-database-url", "postgresql://litellm", *arguments]
        result = CliRunner().invoke(cli, command)
        assert (result.exit_code, "10 min in the past" in result.output) == (2, True), result.output


def test_another_file_of_the_same_name_is_refused_and_one_that_grew_is_not(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fingerprint identifies the rows that were taken. Line endings do not change it."""
    importing(store, tmp_path, monkeypatch)
    row = '{{"day": "2025-11-1{}", "requests": 1, "spend": {}}}'
    contents = {
        "spend.ndjson": [row.format(day, 1) for day in range(5)],
        "spend.csv": ["day,requests,spend", *(f"2025-11-1{day},1,1" for day in range(5))],
    }

    def run(*command: str) -> str:
        result = CliRunner().invoke(cli, ["spend", "import", *command, "--until", "2025-12-01"])
        return result.output + str(result.exception or "")

    for name, lines in contents.items():
        for folder in ("jan", "feb"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "jan" / name).write_text("\n".join(lines[:4]))
        (tmp_path / "feb" / name).write_text("\n".join([lines[0], *lines[2:]]))
        taken = len(lines[:4]) - name.endswith(".csv")
        assert f"{name}: {taken} rows read" in run(f"jan/{name}")
        assert f"its first {taken} rows differ from the rows imported" in run(f"feb/{name}")
        assert f"feb {name}: 4 rows read" in run(f"feb/{name}", "--source", f"feb {name}")
        (tmp_path / "jan" / name).write_text("\r\n".join(lines) + "\r\n\r\n")
        assert f"{name}: {len(lines) - 4} rows read" in run(f"jan/{name}")
        assert f"{name}: 0 rows read" in run(f"jan/{name}")


def test_days_that_would_be_forgotten_at_once_are_refused(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal comes before anything is taken, and names the setting. Days past the cut-over do not matter."""
    importing(store, tmp_path, monkeypatch)
    keep_spend(tmp_path, 400)
    (tmp_path / "old.csv").write_text("day,requests,spend\n2022-03-01,1,1\n2021-02-01,1,1\n")
    command = ["spend", "import", "old.csv", "--until", "2023-01-01"]
    refused = str(CliRunner().invoke(cli, command).exception)
    assert refused.startswith("the first day is 2021-02-01, and months before ")
    enough = (datetime.now(UTC).date() - datetime(2021, 2, 1, tzinfo=UTC).date()).days + 1
    assert f"set spend_retention_days (400) to {enough} or more" in refused

    keep_spend(tmp_path, enough)
    assert "old.csv: 2 rows read" in CliRunner().invoke(cli, command).output


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "row 2: not JSON"),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1, "teem": "t"}', "row 2: teem: Extra inputs"),
        ('{"day": "2026-11-18", "requests": 0, "spend": 1}', "row 2: requests: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": -0.000000001}', "row 2: spend: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": NaN}', "row 2: spend: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": Infinity}', "row 2: spend: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1e999999}', "row 2: spend: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1e9999999999999999999999}', "row 2: not JSON"),
        ('{"day": "2026-11-18", "requests": ' + "9" * 5_000 + ', "spend": 1}', "row 2: not JSON"),
        ("[" * 30_000 + "]" * 30_000, "row 2: "),
        ("[" * 60_000, "row 2: not JSON"),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1, "team": "\\ud800"}', "row 2: team: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1, "team": "\\u0000"}', "row 2: team: "),
        ('{"day": "2026-11-18", "requests": 1, "spend": 1, "tags": [' + "1," * 20_000 + "1]}", "row 2: tags.0: "),
        (" " * files.MAX_LINE + "{}", "a line is over"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, words: str) -> None:
    """The error has its number and field, and nothing of its page is taken."""
    path = tmp_path / "f.ndjson"
    text = '{"day": "2026-11-18", "requests": 1, "spend": 1}\n' + line
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(AlertWorkerError, match=words):
        list(files.SpendFile(path, UNTIL.date()).pages(""))


@pytest.mark.parametrize(
    "line", ["2026-11-18,1," + "9" * 140_000, '2026-11-18,1,"' + "a\n" * 100_000, "2026-11-18,1,1,,,9"]
)
def test_an_invalid_csv_is_refused(tmp_path: Path, line: str) -> None:
    """A field without a closing quote is not guessed."""
    path = tmp_path / "f.csv"
    path.write_text(f"day,requests,spend\n{line}")
    with pytest.raises(AlertWorkerError, match=r"f\.csv"):
        list(files.SpendFile(path, UNTIL.date()).pages(""))


def test_a_csv_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    """One of the two would be lost in silence."""
    path = tmp_path / "f.csv"
    path.write_text("day,requests,spend,spend\n2026-11-18,1,1,2\n")
    with pytest.raises(AlertWorkerError, match=r"f\.csv: a column occurs twice in the first row"):
        list(files.SpendFile(path, UNTIL.date()).pages(""))


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Spreadsheets write one."""
    path = tmp_path / "f.csv"
    path.write_text("\ufeffday,requests,spend\n2026-11-18,1,1\n")
    assert [page.rows for page in files.SpendFile(path, UNTIL.date()).pages("")] == [1]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """It can be read once only, and a pipe without a writer would block the import."""
    os.mkfifo(tmp_path / "spend.csv")
    with pytest.raises(AlertWorkerError, match=r"spend\.csv: it is not a regular file"):
        files.SpendFile(tmp_path / "spend.csv", UNTIL.date()).left("")


def test_a_new_source_needs_its_cutover(store: SqlStore) -> None:
    """The start of the ledger's own events cannot be guessed."""
    with pytest.raises(AlertWorkerError, match="pass --until"):
        History(store.engine).begin("new", None)


@pytest.mark.postgresql
def test_reconcile_shows_where_days_differ(
    store: SqlStore, runtime: Runtime, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal days are not shown to people. Rounding of floating-point dollars is not a difference."""
    ingest(batch(answered("a", cost_nanos=300_000_000), answered("b", team_id="billing")), runtime, now=NOW)
    engine = make_engine(postgresql_url)
    try:
        with engine.begin() as connection:
            make_tables(connection, "LiteLLM_DailyTeamSpend")
            known = {"date": "2026-11-23", "api_key": "k", "prompt_tokens": 0, "completion_tokens": 0}
            for team, model, requests, spend in (
                ("search", "a", 1, 0.1),
                ("search", "b", 0, 0.2),
                ("billing", "a", 2, 0.5),
            ):
                sums = {"team_id": team, "model": model, "api_requests": requests, "spend": spend}
                add_daily(connection, "team", [known | sums])
        assert litellm_logs.daily(engine, "team", Days(NOW.date(), NOW.date()))["2026-11-23", "search"] == (
            1,
            300_000_000,
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("alertworker.app.build_ledger_reader", lambda: SqlLedgerReader(store.engine))
        monkeypatch.setattr("alertworker.imports.litellm_database.open_database", lambda _url: engine)
        days = ["--since", "2026-11-23", "--until", "2026-11-23", "--litellm-database-url", postgresql_url]
        result = CliRunner().invoke(cli, ["spend", "reconcile", "--by", "team", *days], env={"COLUMNS": "150"})
    finally:
        engine.dispose()

    assert "2 compared, 1 differ." in result.output
    assert "billing" in result.output
    assert "-0.499986500" in result.output
    assert "search" not in result.output


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["import", "--until", "2026-11-23"], "has none of LiteLLM's tables where they were looked for"),
        (["import", "--daily", "--until", "2026-11-23"], "has none of LiteLLM's tables where they were looked for"),
        (["reconcile", "--since", "2026-11-23", "--until", "2026-11-23"], "pass the schema as ?schema=NAME"),
    ],
)
def test_a_database_without_litellms_tables_is_a_sentence(
    words: list[str], remedy: str, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    monkeypatch.setenv("ALERTWORKER_CONFIG", "/dev/null")
    own = make_engine(f"sqlite:///{tmp_path / 'own.db'}")
    upgrade(own)
    own.dispose()
    engine = open_database(postgresql_url)
    monkeypatch.setattr("alertworker.imports.litellm_database.open_database", lambda _url: engine)
    result = CliRunner().invoke(cli, ["spend", *words, "--litellm-database-url", postgresql_url])
    engine.dispose()
    assert isinstance(result.exception, AlertWorkerError)
    assert remedy in str(result.exception)


@pytest.mark.postgresql
def test_the_log_is_found_in_the_schema_of_prismas_address(postgresql_url: str) -> None:
    """LiteLLM's ``DATABASE_URL`` names the schema so."""
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA proxy")
    engine = open_database(f"{postgresql_url}?schema=proxy&connection_limit=1&pgbouncer=true&pool_timeout=10")
    try:
        with engine.begin() as connection:
            make_tables(connection, "LiteLLM_SpendLogs")
        assert litellm_logs.SpendLogs(engine, ZoneInfo("UTC"), None, UNTIL).left("").rows == 0
    finally:
        engine.dispose()


@pytest.mark.parametrize("address", ["postgres", "mysql://user:canary@db/litellm", "postgresql://u:can#ary@db/litellm"])
def test_an_address_that_cannot_be_used_is_a_sentence(address: str) -> None:
    with pytest.raises(AlertWorkerError, match="the URL of LiteLLM's database: ") as caught:
        open_database(address)
    assert "canary" not in str(caught.value)


def test_old_days_are_forgotten_and_young_ones_kept(store: SqlStore, runtime: Runtime) -> None:
    """A month that ended before the retention leaves every table of the ledger. Later days stay."""
    kept = (NOW - timedelta(days=400)).replace(day=1)
    old = kept - timedelta(days=1)
    for at in (old, kept):
        event = answered("a", completion_tokens=2, team_alias=f"{at:%B}").model_copy(update={"occurred_at": at})
        ingest(batch(event, failed("b", at=at)), runtime, now=NOW)
    sweep(runtime, now=NOW)

    for table in (SPEND, SPEND_MONTHS, SPEND_SIZES, OUTCOMES, LATENCIES):
        assert {row.month if table is SPEND_MONTHS else row.day for row in rows(store, table)} == {kept.date()}, (
            table.name
        )
    assert {row.last_at for row in rows(store, ALIASES)} == {kept}
    assert SqlLedgerReader(store.engine).total(Days(old.date(), NOW.date())).spend_nanos == 13_500
