"""Publishers with invented names and counters: their number is bounded in the store, on the page and in messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import PublisherHeartbeat
from alertworker.events.system import DROP_REASONS, OTHER_REASON
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.pipeline.many_lost import MOST_HOSTS
from alertworker.store import SqlStore
from alertworker.store import retention as store_retention
from alertworker.store.schema.ledger import DROPS
from alertworker.store.schema.publishers import PUBLISHERS
from tests.integration.harness import NOW, Outbox, batch, canary, rows, run_until_quiet

STEP = 15


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime without reminders."""
    return replace(runtime, router=replace(runtime.router, group_interval=300.0, repeat_interval=86_400.0))


def beat(host: str, at: datetime = NOW, **dropped: int) -> PublisherHeartbeat:
    """Return a heartbeat of a host's only process."""
    return PublisherHeartbeat(
        boot_id=host,
        host=host,
        pid=1,
        version="1",
        started_at=NOW,
        occurred_at=at,
        integration="litellm",
        counters={"published": 10, "dropped": dropped},
    )


def live(runtime: Runtime, hosts: list[str], start: int, end: int) -> None:
    """Send the heartbeats of hosts, and sweep."""
    for second in range(start, end, STEP):
        now = NOW + timedelta(seconds=second)
        ingest(batch(canary(runtime, now), *(beat(host, now) for host in hosts)), runtime, now=now)
        sweep(runtime, now=now)
        run_until_quiet(runtime, now)


def lost(outbox: Outbox) -> list[Message]:
    """Return the messages about lost publishers."""
    return [message for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST]


def test_many_hosts_that_are_lost_at_once_are_one_message(runtime: Runtime, outbox: Outbox) -> None:
    """It ends when all of them run again. Before, each host was an alert."""
    hosts = [f"pod-{n:03}" for n in range(MOST_HOSTS + 1)]
    live(runtime, ["other", *hosts], 0, 60)
    live(runtime, ["other"], 60, 150)

    (firing,) = lost(outbox)
    assert firing.headline == "21 proxies stopped sending heartbeats without a clean shutdown"
    assert (firing.severity, firing.total) == (Severity.MEDIUM, 21)
    assert firing.facts["Hosts"] == "pod-000, pod-001, pod-002, pod-003, pod-004 and 16 more"

    live(runtime, ["other", *hosts[:-1]], 150, 540)
    assert len(lost(outbox)) == 1
    live(runtime, ["other", *hosts], 540, 600)
    assert [message.step for message in lost(outbox)] == [Step.FIRING, Step.RESOLVED]
    assert lost(outbox)[1].facts["State"] == "running again"


def test_a_few_hosts_have_an_alert_each_and_further_ones_are_summed_up(runtime: Runtime, outbox: Outbox) -> None:
    """So a producer that invents hosts little by little does not cause a message for each."""
    few, more = [f"a-{n:02}" for n in range(MOST_HOSTS)], ["b-1", "b-2"]
    live(runtime, ["other", *few, *more], 0, 60)
    live(runtime, ["other", *more], 60, 120)
    live(runtime, ["other"], 120, 210)

    found = [message.labels["host"] for message in lost(outbox)]
    assert sorted(found[:-1]) == few
    assert found[-1] == "(many hosts)"


def test_many_hosts_are_high_if_an_integration_has_none_left(runtime: Runtime, outbox: Outbox) -> None:
    """Nobody replaces them."""
    live(runtime, [f"pod-{n}" for n in range(MOST_HOSTS + 1)], 0, 60)
    live(runtime, [], 60, 150)

    assert [message.severity for message in lost(outbox)] == [Severity.HIGH]


def test_the_oldest_ended_publishers_beyond_the_limit_are_deleted(
    runtime: Runtime, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running ones are kept. All end after 45 s without a heartbeat."""
    monkeypatch.setattr(store_retention, "MAX_PUBLISHERS", 3)
    live(runtime, ["old-1", "old-2", "a", "b", "c", "live"], 0, 30)
    live(runtime, ["a", "b", "c", "live"], 30, 60)
    live(runtime, ["live"], 60, 3_660 + STEP)

    assert sorted(row.boot_id for row in rows(store, PUBLISHERS)) == ["a", "b", "c", "live"]


def test_reasons_that_producers_invent_are_one_row(runtime: Runtime, store: SqlStore) -> None:
    """Each distinct reason was a row of the store, of the overview and of doctor."""
    for n in range(40):
        ingest(batch(beat(f"p{n}", NOW, **{f"reason {n}-{i}": 1 for i in range(15)}, invalid=2)), runtime, now=NOW)

    reasons = {row.reason for row in rows(store, DROPS)}
    assert reasons == {"invalid", OTHER_REASON}
    assert reasons - {OTHER_REASON} <= DROP_REASONS
