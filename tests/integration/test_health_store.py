"""Health and metrics show what is in the store."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import event, text

from alertworker import pipeline
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.events import PublisherHeartbeat
from alertworker.health import CheckState, Doctor, describe_lane
from alertworker.pipeline import Runtime
from alertworker.ports import LaneState
from alertworker.settings import load_settings
from alertworker.store import AdminStore, HealthStore, SqlStore
from alertworker.web.metrics import SnapshotCollector
from tests.integration.harness import NOW, Outbox, batch, canary, failed


def test_readings_follow_an_alert_to_its_receiver(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """One alert waits, then it is sent. The ages of a canary and a publisher are right."""
    health = HealthStore(store.engine)
    assert health.read(now=NOW).canary_seconds is None
    beat = PublisherHeartbeat(
        boot_id="b", host="h", pid=1, version="1", started_at=NOW, occurred_at=NOW, backlog=7, interval_seconds=10
    )
    pipeline.ingest(batch(failed("1"), canary(runtime, NOW), beat), runtime, now=NOW)

    later = NOW + timedelta(seconds=20)
    snapshot = health.read(now=later)
    assert snapshot.alerts == {("llm_exceptions", "open"): 1}
    assert snapshot.notifications == {("pending", "outbox"): 1}
    assert snapshot.lanes == {"outbox": 20.0}
    assert (snapshot.publishers["live"], snapshot.backlog, snapshot.canary_seconds) == (1, 7, 20.0)

    pipeline.deliver("outbox", runtime, now=later)
    snapshot = health.read(now=later + timedelta(seconds=60))
    assert snapshot.notifications == {}
    assert (snapshot.lanes, snapshot.publishers["silent"], snapshot.backlog) == ({}, 1, 0)
    assert snapshot.broken == {}

    registry = CollectorRegistry()
    registry.register(SnapshotCollector(replace(snapshot, counters={("muted", "silence"): 3}), 7, ChannelLabels()))
    page = generate_latest(registry).decode()
    assert 'alertworker_alerts{state="open",type="llm_exceptions"} 1.0' in page
    assert 'alertworker_counted_total{reason="silence",what="muted"} 3.0' in page
    assert "alertworker_canary_age_seconds 80.0" in page
    assert "alertworker_queue_messages 7.0" in page
    assert "alertworker_queue_oldest_seconds 80.0" in page
    assert (snapshot.oldest_seconds(0), snapshot.oldest_seconds(1)) == (0.0, 80.0)


def test_a_lane_is_described_with_the_reason_for_its_wait() -> None:
    """`doctor`, the pages and `explain` describe it alike, with times in the configured zone."""
    zone, later = ZoneInfo("Europe/Berlin"), NOW + timedelta(minutes=5)
    assert describe_lane(LaneState("slack"), zone, now=NOW) == "0 waiting"
    troubled = LaneState(
        "slack", 2, waiting_since=NOW, paused_until=later, failing_since=NOW, probe_at=later, broken_since=NOW
    )
    assert describe_lane(troubled, zone, now=later) == (
        "2 waiting, the oldest for 5 min; its receiver asked to wait until 2026-11-23 15:07:11 CET; "
        "every attempt has failed since 2026-11-23 15:02:11 CET; the next attempt is at 2026-11-23 15:07:11 CET; "
        "reported as broken since 2026-11-23 15:02:11 CET"
    )


def test_a_database_that_answers_and_cannot_be_written_is_named(store: SqlStore) -> None:
    """Health shows it at once. The canary would show it a minute later. It is over when there is room again."""
    health = HealthStore(store.engine)
    assert health.find_write_problem() is None
    doctor = Doctor(load_settings(environ={}), lambda: 0, health, store, AdminStore(store.engine))
    with no_writes(store):
        problem = health.find_write_problem()
        [found] = [check for check in doctor.examine(now=NOW).checks if check.about == "database"]
    assert (found.state, found.text) == (CheckState.PROBLEM, problem)
    assert problem in (
        "the database cannot be written (File too large); check its disk and the rights to its folder",
        "the database is read-only; connect to the primary server",
    )
    assert health.find_write_problem() is None


def test_a_snapshot_only_reads(store: SqlStore) -> None:
    """Health is read every 2 s in each web process. Otherwise a worker would wait for it on SQLite."""
    statements: list[str] = []

    def executed(*about: Any) -> None:
        statements.append(about[2])

    event.listen(store.engine, "before_cursor_execute", executed)
    HealthStore(store.engine).read(now=NOW)
    event.remove(store.engine, "before_cursor_execute", executed)

    assert len(statements) > 5
    assert [one for one in statements if not one.startswith(("SELECT", "PRAGMA")) and one != "BEGIN"] == []


@contextmanager
def no_writes(store: SqlStore) -> Iterator[None]:
    """Let this process write no large file, as on a full disk; or make the server's transactions read-only."""
    if store.engine.dialect.name == "sqlite":
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return
    for setting in ("on", "off"):
        with store.engine.begin() as connection:
            name = store.engine.url.database
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {setting}'))
        store.engine.dispose()
        if setting == "on":
            yield
