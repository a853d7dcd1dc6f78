"""A proxy that is running and publishes nothing, while others do, is announced until it publishes, and no other one."""

from __future__ import annotations

from datetime import datetime, timedelta

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.events import PublisherCounters, PublisherHeartbeat, PublisherStopped
from alertworker.pipeline import Runtime, ingest, sweep
from tests.integration.harness import NOW, Outbox, batch, canary, run_until_quiet

#: Every how many half minutes the test sweeps. Sweeps take most of these tests' time.
SWEPT = 5


def beat(host: str, published: int, at: datetime, *, boot_id: str = "", backlog: int = 0) -> PublisherHeartbeat:
    """Return a heartbeat of a proxy's callback."""
    return PublisherHeartbeat(
        boot_id=boot_id or host,
        host=host,
        pid=1,
        version="1",
        started_at=NOW,
        occurred_at=at,
        integration="litellm",
        counters=PublisherCounters(published=published),
        backlog=backlog,
    )


def live(runtime: Runtime, outbox: Outbox, minutes: int, *figures: tuple[str, int], start: int = 0) -> list[str]:
    """Send a heartbeat of each host every half minute, with this many new events. Return the announced hosts."""
    for half in range(2 * start, 2 * minutes):
        now = NOW + timedelta(seconds=30 * half)
        beats = [beat(host, half * each, now) for host, each in figures]
        ingest(batch(canary(runtime, now), *beats), runtime, now=now)
        if half % SWEPT == 0:
            sweep(runtime, now=now)
            run_until_quiet(runtime, now)
    fired = [message for message in outbox.sent if message.step is Step.FIRING]
    return [message.labels["host"] for message in fired if message.type is AlertType.PUBLISHER_SILENT]


def ends(outbox: Outbox) -> list[tuple[str, str]]:
    """Return the end of each alert that was resolved: its headline, and the state that it names."""
    resolved = [message for message in outbox.sent if message.step is Step.RESOLVED]
    return [(message.headline, message.facts["State"]) for message in resolved]


def test_a_host_that_publishes_nothing_beside_a_busy_one_is_announced_once(runtime: Runtime, outbox: Outbox) -> None:
    """It is announced after 30 minutes, and not again while the silence lasts."""
    assert live(runtime, outbox, 29, ("busy", 5), ("quiet", 0)) == []
    assert live(runtime, outbox, 90, ("busy", 5), ("quiet", 0), start=29) == ["quiet"]
    assert ends(outbox) == []


def test_a_host_that_publishes_again_is_resolved(runtime: Runtime, outbox: Outbox) -> None:
    """It ends with the first event."""
    live(runtime, outbox, 35, ("busy", 5), ("quiet", 0))
    live(runtime, outbox, 40, ("busy", 5), ("quiet", 1), start=35)

    assert ends(outbox) == [
        ("Resolved after 35 min: A proxy publishes nothing while other proxies do: quiet", "publishes again")
    ]


def test_a_host_that_shuts_down_is_silent_no_more(runtime: Runtime, outbox: Outbox) -> None:
    """A clean shutdown ends it, too: nothing is left that could publish."""
    live(runtime, outbox, 35, ("busy", 5), ("quiet", 0))
    now = NOW + timedelta(minutes=35)
    facts = beat("quiet", 0, now).model_dump(exclude={"type", "backlog", "inflight", "interval_seconds", "event_id"})
    ingest(batch(canary(runtime, now), PublisherStopped(**facts)), runtime, now=now)
    sweep(runtime, now=now)
    run_until_quiet(runtime, now)

    assert [state for _, state in ends(outbox)] == ["its processes have ended"]


def test_hosts_that_all_publish_nothing_are_a_quiet_night(runtime: Runtime, outbox: Outbox) -> None:
    """A single host is not announced either."""
    assert live(runtime, outbox, 60, ("one", 0), ("two", 0)) == []


def test_a_sibling_that_has_just_begun_proves_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """Traffic that begins after a quiet night reaches one host before the other."""
    assert live(runtime, outbox, 60, ("one", 0), ("two", 0)) == []
    assert live(runtime, outbox, 75, ("one", 0), ("two", 5), start=60) == []


def test_one_busy_process_is_enough_for_its_host(runtime: Runtime, outbox: Outbox) -> None:
    """Processes of one host share its traffic unevenly. A backlog explains silence."""
    for half in range(120):
        now = NOW + timedelta(seconds=30 * half)
        beats = (
            beat("one", half, now, boot_id="a"),
            beat("one", 0, now, boot_id="b"),
            beat("two", half, now),
            beat("three", 0, now, backlog=7),
        )
        ingest(batch(canary(runtime, now), *beats), runtime, now=now)
        if half % SWEPT == 0:
            sweep(runtime, now=now)
            run_until_quiet(runtime, now)

    assert outbox.sent == []
