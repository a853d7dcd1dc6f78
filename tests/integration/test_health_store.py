"""Health and metrics show what is in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, generate_latest

from alertworker import pipeline
from alertworker.events import Canary, PublisherHeartbeat
from alertworker.health import describe_lane
from alertworker.pipeline import Runtime
from alertworker.ports import LaneState
from alertworker.store import HealthStore, SqlStore
from alertworker.web.metrics import SnapshotCollector
from tests.integration.harness import NOW, Outbox, batch, failed


def test_readings_follow_an_alert_to_its_receiver(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """One alert waits, then it is sent. The ages of a canary and a publisher are right."""
    gauges = HealthStore(store.engine)
    assert gauges.read(now=NOW).canary_seconds is None
    beat = PublisherHeartbeat(
        boot_id="b", host="h", pid=1, version="1", started_at=NOW, occurred_at=NOW, backlog=7, interval_seconds=10
    )
    pipeline.ingest(batch(failed("1"), Canary(occurred_at=NOW), beat), runtime, now=NOW)

    later = NOW + timedelta(seconds=20)
    readings = gauges.read(now=later)
    assert readings.alerts == {("llm_exceptions", "open"): 1}
    assert readings.notifications == {("pending", "outbox"): 1}
    assert readings.lanes == {"outbox": 20.0}
    assert (readings.publishers["live"], readings.backlog, readings.canary_seconds) == (1, 7, 20.0)

    pipeline.deliver("outbox", runtime, now=later)
    readings = gauges.read(now=later + timedelta(seconds=60))
    assert readings.notifications == {("sent", "outbox"): 1}
    assert (readings.lanes, readings.publishers["silent"], readings.backlog) == ({}, 1, 0)

    registry = CollectorRegistry()
    registry.register(SnapshotCollector(replace(readings, counters={("muted", "silence"): 3}), 7))
    text = generate_latest(registry).decode()
    assert 'alertworker_alerts{state="open",type="llm_exceptions"} 1.0' in text
    assert 'alertworker_counted_total{reason="silence",what="muted"} 3.0' in text
    assert "alertworker_canary_age_seconds 80.0" in text
    assert "alertworker_queue_messages 7.0" in text
    assert "alertworker_queue_oldest_seconds 80.0" in text
    assert (readings.oldest_seconds(0), readings.oldest_seconds(1)) == (0.0, 80.0)


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
