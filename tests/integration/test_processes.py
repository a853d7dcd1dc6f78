"""Running processes publish their configuration, and commands judge that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect, text

from alertworker.cli import cli
from alertworker.errors import AlertWorkerError
from alertworker.health import CheckState, Doctor
from alertworker.pipeline import processes
from alertworker.ports.processes import GONE_AFTER, Process, ProcessPort
from alertworker.settings import Settings, load_settings
from alertworker.settings.published import describe_process, digests
from alertworker.store import AdminStore, HealthStore, ProcessStore, SqlStore, make_engine
from alertworker.store.migrations import upgrade
from tests.integration.harness import NOW
from tests.integration.test_schema import _migrate

SLACK = "https://hooks.slack.com/services/T0/B0/"
#: Variables with secrets. No row has a secret or a digest of one, because a guess could be compared with it.
SECRETS = {"SLACK_WEBHOOK_URL": f"{SLACK}one", "ALERTWORKER_API_KEY": "hunter2", "SMTP_PASSWORD": "hunter2"}


def process(role: str, settings: Settings, **other: object) -> Process:
    """Return a running process with these settings."""
    return replace(describe_process(settings, role, now=NOW), host="host-a", **other)  # type: ignore[arg-type]


def checks(store: SqlStore, settings: Settings, *running: Process) -> dict[str, tuple[CheckState, str]]:
    """Return what `doctor` finds about running processes and about lanes."""
    for one in running:
        ProcessStore(store.engine).publish(one)
    doctor = Doctor(settings, lambda: 0, HealthStore(store.engine), store, AdminStore(store.engine))
    report = doctor.examine(now=NOW)
    return {
        one.about: (one.state, one.text)
        for one in report.checks
        if one.about.startswith(("proc", "lane ")) or " on " in one.about
    }


def test_processes_with_the_configuration_of_the_command_are_fine(store: SqlStore) -> None:
    settings = load_settings(environ=SECRETS)
    running = [process(role, settings, pid=pid) for pid, role in enumerate(("ingest", "ingest", "deliver", "beat"))]

    assert checks(store, settings, *running)["processes"] == (
        CheckState.OK,
        "1 beat, 1 deliver, 2 ingest; all have the configuration of this command",
    )


def test_a_process_that_cannot_open_its_database_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume may be mounted later. Until then nothing is published."""
    monkeypatch.setattr(processes, "PUBLISH_EVERY", timedelta(milliseconds=10))
    published, tries = threading.Event(), iter([False, True])

    class Published(ProcessPort):
        def publish(self, process: Process) -> None:
            published.set()

        def running(self, *, now: datetime) -> list[Process]:
            return []

    def build() -> tuple[Process, ProcessPort]:
        if not next(tries):
            raise AlertWorkerError("the data folder cannot be used")
        return process("ingest", Settings()), Published()

    processes.start_publishing(build, lambda: NOW)
    assert published.wait(20)


def test_the_doctor_names_what_differs_and_what_is_absent(store: SqlStore) -> None:
    """Two processes with the same difference are one line. A channel that only a worker has is not a removed one."""
    here = load_settings(environ={"SLACK_WEBHOOK_URL": f"{SLACK}one"})
    there = load_settings(
        environ={"DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x"} | {"ALERTWORKER_GROUP_INTERVAL": "20"}
    )
    moved = load_settings(environ={"SLACK_WEBHOOK_URL": f"{SLACK}two"})
    found = checks(
        store,
        here,
        process("ingest", there, pid=1),
        process("ingest", there, pid=2),
        process("web", here, version="0.0.9"),
        process("deliver", moved, pid=3),
    )
    remedy = "restart it, or run this command with its file and environment"

    assert found["processes"] == (
        CheckState.NOTE,
        "none with the role beat has published its configuration; start `alertworker beat`",
    )
    assert found["ingest on host-a"] == (
        CheckState.NOTE,
        (
            "pid 1, 2: has channels that are not configured here: DISCORD_WEBHOOK_URL; "
            f"lacks channels that are configured here: SLACK_WEBHOOK_URL; has other settings: group_interval; {remedy}"
        ),
    )
    assert "runs version 0.0.9" in found["web on host-a"][1]
    assert found["deliver on host-a"] == (
        CheckState.PROBLEM,
        "pid 3: cannot send to DISCORD_WEBHOOK_URL, SLACK_WEBHOOK_URL, which another process uses; restart it",
    )
    assert "no longer configured" not in found["lane DISCORD_WEBHOOK_URL"][1]


def test_the_doctor_notes_that_no_process_runs(store: SqlStore) -> None:
    assert "no running process" in checks(store, Settings())["processes"][1]


def test_a_process_that_ended_is_forgotten(store: SqlStore) -> None:
    """A new one on the same host replaces it at once. A sibling that started with it stays."""
    processes, settings = ProcessStore(store.engine), Settings()
    processes.publish(process("ingest", settings, pid=1))
    later = NOW + timedelta(seconds=30)
    for pid in (2, 3):
        started = later + timedelta(milliseconds=100 * pid)
        processes.publish(process("ingest", settings, pid=pid, started_at=started, seen_at=started))
    processes.publish(process("beat", settings, pid=9, seen_at=later))

    assert [one.pid for one in processes.running(now=later)] == [9, 2, 3]
    assert processes.running(now=later + GONE_AFTER + timedelta(seconds=1)) == []


def test_a_row_has_no_secret_and_no_digest_of_one(store: SqlStore) -> None:
    """A digest of a weak secret could be guessed, so secrets change nothing."""
    settings = load_settings(environ=SECRETS)
    ProcessStore(store.engine).publish(process("web", settings))
    with store.engine.connect() as connection:
        row = str(connection.execute(text("SELECT * FROM processes")).all())

    assert not any(secret in row for secret in (*SECRETS.values(), f"{SLACK}one"))
    others = {name: "correct horse" for name in SECRETS if name != "SLACK_WEBHOOK_URL"}
    assert digests(settings) == digests(load_settings(environ=SECRETS | others))
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret >= {"api_key", "publish_key", "broker_url", "database_url", "heartbeat_url"}
    assert not secret & digests(settings).keys()


def test_equal_settings_have_equal_digests_in_every_process(tmp_path: Path) -> None:
    """Sets have another order in each process."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "general_settings: {alerting: [slack, email]}\n"
        "alertworker:\n"
        "  budgets: [{dimension: team, max: 5}]\n"
        "  receivers: [{name: desk, channels: [{name: desk, kind: console}]}]\n"
        "  route: {receiver: desk, routes: [{receiver: desk, matchers: ['team=~\"a|b\"'], mute_time_intervals: [n]}]}\n"
        "  time_intervals: [{name: n, time_intervals: [{weekdays: ['saturday', 'sunday']}]}]\n"
    )
    code = (
        "import json\n"
        "from alertworker.settings import load_settings\n"
        "from alertworker.settings.published import digests\n"
        "print(json.dumps(digests(load_settings())))"
    )
    environ = {"PATH": os.environ["PATH"], "ALERTWORKER_CONFIG": str(file), "PYTHONPATH": str(Path.cwd())}
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environ | SECRETS | {"PYTHONHASHSEED": seed},
            cwd=tmp_path,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert json.loads(found[0])
    assert found[0] == found[1]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_check_compares_the_running_processes(store: SqlStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It works without a database, too."""
    (folder := tmp_path / "empty").mkdir()
    monkeypatch.chdir(folder)
    assert "no process has run" in CliRunner().invoke(cli, ["check"], catch_exceptions=False).output
    assert list(folder.iterdir()) == []
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    ProcessStore(store.engine).publish(
        replace(process("all", load_settings(environ={"SLACK_WEBHOOK_URL": f"{SLACK}one"})), seen_at=datetime.now(UTC))
    )
    found = json.loads(CliRunner().invoke(cli, ["check", "--json"], catch_exceptions=False).output)["processes"]
    assert "has channels that are not configured here: SLACK_WEBHOOK_URL" in "".join(found)
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    gone = CliRunner().invoke(cli, ["check"], catch_exceptions=False)
    assert (gone.exit_code, "is not known" in gone.output) == (0, True)


def test_the_migration_adds_the_table_to_a_database_with_rows(store: SqlStore) -> None:
    """The previous version does not know the table and goes on."""
    engine = make_engine(store.engine.url.render_as_string(hide_password=False))
    _migrate(engine, "downgrade", "0011")
    assert not inspect(engine).has_table("processes")
    upgrade(engine)
    ProcessStore(engine).publish(process("beat", Settings()))
    assert [one.role for one in ProcessStore(engine).running(now=NOW)] == ["beat"]
    engine.dispose()
