"""One step of the sweep that fails, or one kind of report, stops no other: the canary above all."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import NoReturn
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.next_step import NextStep, next_step
from alertworker.errors import StoreUnavailable
from alertworker.events import Canary
from alertworker.health import CheckState, _steps
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.pipeline.isolation import run_each
from alertworker.pipeline.notify import claim
from alertworker.pipeline.report import Reporter
from alertworker.reports import Calendar
from alertworker.store import HealthStore, SqlLedgerReader, SqlStore
from alertworker.store.schema.alerts import ALERTS, OPEN
from tests.integration.harness import NOW, Outbox, answered, batch, run_until_quiet

#: The fixture of the store allows failed steps in this module alone.
STEPS_FAIL = True
#: The part of an event that an error may repeat.
SECRET = "a text of a prompt"
#: The functions that the steps call, except for the canary and the ping.
FUNCTIONS = (
    "end_credentials",
    "end_outages",
    "end_publishers",
    "end_callers",
    "_notify_unmuted",
    "_settle_due",
    "end_budgets",
    "check_users",
    "announce_lost",
    "announce_silent",
    "check_zone",
    "_report_unknown",
    "wake",
    "forget",
)


def fail(*_: object, **__: object) -> NoReturn:
    raise ValueError(SECRET)


@pytest.fixture
def all_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FUNCTIONS:
        monkeypatch.setattr(import_module("alertworker.pipeline.sweep"), name, fail)


@pytest.mark.usefixtures("all_fail")
def test_the_canary_is_sent_whatever_else_fails(
    runtime: Runtime, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure is counted, and logged once with its step and without its text."""
    for seconds in (0, 1, 6):
        sweep(runtime, now=NOW + timedelta(seconds=seconds))

    assert [type(event) for event in runtime.broker.published] == [Canary, Canary]  # type: ignore[attr-defined]
    snapshot = HealthStore(store.engine).read(now=NOW + timedelta(seconds=8))
    assert len(snapshot.failing) == len(FUNCTIONS)
    assert set(snapshot.failing.values()) == {2.0}
    counted = {label: value for (name, label), value in snapshot.counters.items() if name == "failed_steps"}
    assert counted == dict.fromkeys(snapshot.failing, 3)
    logged = [record.getMessage() for record in caplog.records if record.name == "alertworker.pipeline.isolation"]
    assert len(logged) == len(FUNCTIONS)
    assert all(f"the step {name} failed: ValueError" in "".join(logged) for name in snapshot.failing)
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("all_fail")
def test_a_step_that_failed_is_a_problem_first_and_a_note_later(runtime: Runtime, store: SqlStore) -> None:
    sweep(runtime, now=NOW)

    def states(after: timedelta) -> set[CheckState]:
        return {check.state for check in _steps(HealthStore(store.engine).read(now=NOW + after))}

    assert states(timedelta(minutes=1)) == {CheckState.PROBLEM}
    assert states(timedelta(minutes=30)) == {CheckState.NOTE}
    assert states(timedelta(minutes=71)) == set()


def test_a_step_that_fails_again_after_a_while_is_logged_again(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    for minutes in (0, 60, 200):
        run_each({"one": fail}, runtime, now=NOW + timedelta(minutes=minutes))
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_a_step_that_finds_the_database_too_slow_does_not_stop_the_others(runtime: Runtime) -> None:
    """A statement that takes too long looks like a database that is away. The task logs that at the end."""
    ran: list[str] = []

    def slow() -> None:
        ran.append("slow")
        raise StoreUnavailable("slow")

    def works() -> None:
        ran.append("works")

    with pytest.raises(StoreUnavailable):
        run_each({"1": slow, "2": works, "3": slow, "4": works}, runtime, now=NOW)
    assert ran == ["slow", "works", "slow", "works"]


def test_a_database_that_is_away_ends_the_task_at_its_second_step(runtime: Runtime) -> None:
    """Each further step would wait for the connection's time-out."""
    ran: list[str] = []

    def away() -> None:
        ran.append("away")
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        run_each({"1": away, "2": away, "3": away}, runtime, now=NOW)
    assert ran == ["away", "away"]


def test_an_alert_that_cannot_be_settled_does_not_stop_the_others(
    runtime: Runtime, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More alerts fail than one transaction takes. Each is tried again a minute later."""

    def open_alerts() -> list[str]:
        with store.engine.connect() as connection:
            return sorted(connection.execute(select(ALERTS.c.labels["deployment"].as_string()).where(OPEN)).scalars())

    def poisoned(alert: OpenAlert, now: datetime, *, is_explained: bool, is_early: bool) -> NextStep:
        if alert.labels["deployment"].startswith("bad"):
            fail()
        return next_step(alert, now, is_explained=is_explained, is_early=is_early)

    for name in [*(f"bad-{number}" for number in range(4)), "good-1", "good-2"]:
        alert = Alert(AlertType.COOLDOWN_DEPLOYMENT, Severity.LOW, {"deployment": name}, "h", NOW, NOW)
        store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))
    monkeypatch.setattr(import_module("alertworker.pipeline.sweep"), "PIECE", 3)
    later = NOW + timedelta(hours=2)
    with monkeypatch.context() as patch:
        patch.setattr(import_module("alertworker.pipeline.sweep"), "next_step", poisoned)
        sweep(runtime, now=later)
    assert open_alerts() == [f"bad-{number}" for number in range(4)]
    assert "due alerts" in HealthStore(store.engine).read(now=later).failing

    sweep(runtime, now=later + timedelta(minutes=2))
    assert open_alerts() == []


def test_a_kind_of_report_that_fails_does_not_stop_the_others(
    runtime: Runtime, store: SqlStore, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daily report comes with the first look after its figures can be read again."""
    later = NOW + timedelta(days=7)
    morning = later - timedelta(hours=4)
    times = {"started_at": morning, "ended_at": morning, "occurred_at": morning}
    ingest(batch(answered("c1")), runtime, now=NOW)
    ingest(batch(answered("c2").model_copy(update=times)), runtime, now=morning)
    reporter = Reporter(runtime, SqlLedgerReader(store.engine), Calendar(ZoneInfo("UTC")))
    reporter.send_due(now=NOW)

    def kinds(now: datetime) -> set[str]:
        reporter.send_due(now=now)
        run_until_quiet(runtime, now)
        sent = {message.type.value for message in outbox.sent}
        outbox.sent.clear()
        return sent

    with monkeypatch.context() as patch:
        patch.setattr(SqlLedgerReader, "deployments", fail)
        assert kinds(later) == {"spend_reports"}
    failing = HealthStore(store.engine).read(now=later).failing
    assert list(failing) == ["report daily"]
    assert kinds(later + timedelta(minutes=1)) == {"daily_reports"}
