"""Processes that stop without a clean shutdown: one alert for each host, which counts, rises and ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from sqlalchemy import update

from alertworker.alerts.alert import fingerprint_of
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.events import Event, PublisherHeartbeat, PublisherStopped
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.pipeline.publishers import count_crashes
from alertworker.ports import Lifetime
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import NOW, Outbox, announced, batch, canary, rows, run_until_quiet

STEP = 15
Process = tuple[str, int, int]  #: a host, and the seconds at which its process starts and dies
FOREVER = 10**6
LOST = "A proxy stopped sending heartbeats without a clean shutdown"


#: A long test, whose statements others try on PostgreSQL.
on_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime without reminders."""
    return replace(runtime, router=replace(runtime.router, group_interval=300.0, repeat_interval=86_400.0))


def boot(process: Process) -> str:
    return f"{process[0]}-{process[1]}"


def beat(process: Process, second: int, number: int) -> PublisherHeartbeat:
    """Return a process's heartbeat."""
    host, start, _ = process
    return PublisherHeartbeat(
        boot_id=f"{boot(process)}-{number}",
        host=host,
        pid=100 + number,
        version="1",
        started_at=NOW + timedelta(seconds=start),
        occurred_at=NOW + timedelta(seconds=second),
        integration="litellm",
        inflight=2,
    )


def live(runtime: Runtime, seconds: int, *processes: Process, start: int = 0, step: int = STEP) -> None:
    """Send the heartbeats of all processes, every second batch twice, and sweep."""
    for second in range(start, seconds, step):
        now = NOW + timedelta(seconds=second)
        beats = [beat(one, second, n) for n, one in enumerate(processes) if one[1] <= second < one[2]]
        sealed = batch(canary(runtime, now), *beats)
        for _ in range(1 + second // step % 2):
            ingest(sealed, runtime, now=now)
        sweep(runtime, now=now)
        run_until_quiet(runtime, now)


def loop(host: str, until: int, *, every: int, start: int = 0) -> Iterable[Process]:
    """Return the processes of a host that crashes, and a process that stays."""
    for born in range(start, until, every):
        yield host, born, born + every - STEP
    yield host, until, FOREVER


def notified(outbox: Outbox) -> list[tuple[Step, Severity]]:
    """Return the steps and severities that were sent about lost publishers."""
    lost = [message for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST]
    return [(message.step, message.severity) for message in lost]


def minutes(message: Message) -> float:
    return (message.at - NOW).total_seconds() / 60


def test_a_crash_loop_is_one_alert_that_rises_and_ends(runtime: Runtime, outbox: Outbox) -> None:
    """It ends five minutes after the last crash."""
    live(runtime, 1_600, ("other", 0, FOREVER), *loop("proxy", 900, every=90))

    assert notified(outbox) == [
        (Step.FIRING, Severity.MEDIUM),
        (Step.FIRING, Severity.HIGH),
        (Step.RESOLVED, Severity.HIGH),
    ]
    first, risen, over = outbox.sent
    assert first.headline == f"{LOST}: proxy, process 101"
    assert risen.headline == "A proxy keeps crashing: proxy, 3 times in 3 min"
    assert risen.facts["Restarts"] == "2 in 3 min"
    assert risen.facts["Calls in flight"] == "2 at the last heartbeat"
    assert over.headline == "Resolved after 14 min: A proxy keeps crashing: proxy, 10 times in 13 min 30 s"
    assert (over.total, over.facts["State"]) == (10, "running again")
    assert minutes(over) == pytest.approx(14.75 + 5, abs=1)


@on_sqlite
def test_a_loop_that_is_slower_than_its_end_does_not_flap(runtime: Runtime, outbox: Outbox) -> None:
    """From the second time within an hour on it ends only after 30 minutes."""
    live(runtime, 5_400, ("other", 0, FOREVER), *loop("proxy", 3_200, every=400), step=40)

    medium, high = Severity.MEDIUM, Severity.HIGH
    assert notified(outbox) == [
        (Step.FIRING, medium),
        (Step.RESOLVED, medium),
        (Step.FIRING, medium),
        (Step.FIRING, high),
        (Step.RESOLVED, high),
    ]


def test_a_deploy_that_kills_is_medium_and_ends(runtime: Runtime, outbox: Outbox) -> None:
    """Pod names do not come back. Others of the integration run, so it ends after 30 minutes."""
    old = [("a", 0, 60), ("b", 0, 120)]
    pods = *old, ("c", 75, FOREVER), ("d", 135, FOREVER)
    live(runtime, 240, *pods)
    live(runtime, 2_040, *pods, start=1_680, step=30)

    firing, resolved = (Step.FIRING, Severity.MEDIUM), (Step.RESOLVED, Severity.MEDIUM)
    assert notified(outbox) == [firing, firing, resolved, resolved]
    assert [message.labels["host"] for message in outbox.sent] == ["a", "b", "a", "b"]
    assert outbox.sent[0].facts["Other hosts"] == "2 of litellm running"
    assert outbox.sent[2].headline == f"Closed after 30 min 15 s: {LOST}: a, process 100"
    assert outbox.sent[2].facts["State"].startswith("did not come back for 30 min; other hosts")


def test_a_deploy_with_clean_shutdowns_sends_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """Each process announces its shutdown."""
    live(runtime, 60, ("a", 0, 60), ("b", 45, FOREVER))
    bye = beat(("a", 0, 60), 60, 0).model_dump(exclude={"type", "backlog", "inflight", "interval_seconds", "event_id"})
    ingest(batch(PublisherStopped(**bye)), runtime, now=NOW + timedelta(seconds=60))
    live(runtime, 300, ("", 0, 0), ("b", 45, FOREVER), start=60)

    assert outbox.sent == []


def test_the_last_proxy_is_high_until_it_is_back(runtime: Runtime, outbox: Outbox) -> None:
    """No other proxy can replace it."""
    live(runtime, 150, ("a", 0, 60))
    live(runtime, 3_000, ("a", 0, 60), start=2_940)
    assert notified(outbox) == [(Step.FIRING, Severity.HIGH)]
    assert outbox.sent[0].headline == "The last running proxy stopped without a clean shutdown: a, process 100"

    live(runtime, 3_100, ("a", 3_000, FOREVER), start=3_000)
    assert notified(outbox)[1:] == [(Step.RESOLVED, Severity.HIGH)]
    assert outbox.sent[1].headline.startswith("Resolved after 49 min 15 s: The last running proxy")


def test_a_single_proxy_that_is_gone_for_good_is_closed_after_a_day(runtime: Runtime, outbox: Outbox) -> None:
    """The alert of an uninstalled proxy would otherwise stay open."""
    gone, day = ("a", 0, 60), 86_400
    live(runtime, 150, gone)
    live(runtime, day - 300, gone, start=day - 330)
    assert notified(outbox)[1:] == []
    live(runtime, day + 300, gone, start=day + 270)
    assert notified(outbox)[1:] == [(Step.RESOLVED, Severity.HIGH)]
    assert outbox.sent[1].headline.startswith("Closed after 1 d")
    assert outbox.sent[1].facts["State"] == "did not come back for 1 d"


def test_a_silenced_loss_does_not_fire_after_the_host_runs_again(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The silence ends before the loss is over."""
    start, end = NOW, NOW + timedelta(seconds=240)
    one = Silence("s1", (parse('alert_type="publisher_lost"'),), start, end, "ops", "deploy")
    AdminStore(store.engine).add_silence(one, now=start)
    live(runtime, 900, ("a", 0, 60), ("a", 200, FOREVER), ("other", 0, FOREVER))

    (alert,) = rows(store, ALERTS)
    assert alert.closed_at is not None
    assert outbox.sent == []


def test_processes_that_end_together_are_one_crash(runtime: Runtime, outbox: Outbox) -> None:
    """A killed host with eight workers does not count as a crash loop."""
    live(runtime, 300, ("other", 0, FOREVER), *[("a", 0, 60)] * 8)

    (message,) = outbox.sent
    assert (message.severity, message.total) == (Severity.MEDIUM, 8)
    assert message.headline == f"{LOST}: a, 8 processes"
    assert len(message.members) == 8


def test_it_names_the_calls_that_were_lost(runtime: Runtime, outbox: Outbox) -> None:
    """Announced calls are those that hang. The model of each is known."""
    calls = [announced(f"c{n}", boot_id="a-0-0") for n in range(7)]
    ingest(batch(*calls), runtime, now=NOW)
    live(runtime, 150, ("a", 0, 15), ("other", 0, FOREVER))

    lost = next(message for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST)
    assert lost.headline == f"{LOST}: a, process 100, 7 announced calls lost with it"
    assert lost.facts["Announced calls"] == ", ".join(f"c{n} (gpt-4o)" for n in range(5)) + " and 2 more"


@pytest.mark.parametrize("limit", [1, 100])
def test_each_loss_counts_once_however_it_is_cut(
    runtime: Runtime, outbox: Outbox, store: SqlStore, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """A transaction has one process or all."""
    monkeypatch.setattr(import_module("alertworker.pipeline.sweep"), "PIECE", limit)
    live(runtime, 300, ("other", 0, FOREVER), *[("a", 0, 60)] * 5)

    (alert,) = rows(store, ALERTS)
    assert (alert.count, alert.level, alert.labels) == (5, 1, {"host": "a", "integration": "litellm"})


def test_an_open_notice_of_the_previous_version_is_closed(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The previous version raised one for each process, and never resolved it."""
    processes = ("a", 0, 15), ("other", 0, FOREVER)
    live(runtime, 120, *processes)
    old = fingerprint_of(AlertType.PUBLISHER_LOST, {"boot_id": "b1"})
    with store.engine.begin() as connection:
        connection.execute(update(ALERTS).values(kind="notice", fingerprint=old, open_fingerprint=old))
    live(runtime, 900, *processes, start=120)

    (alert,) = rows(store, ALERTS)
    assert alert.closed_at is not None
    assert [message.step for message in outbox.sent] == [Step.FIRING]


@pytest.mark.parametrize(
    ("lifetimes", "crashes"),
    [
        ([(0, 10)], 1),
        ([(0, 10), (0, 11), (1, 12)], 1),
        ([(0, 10), (12, 20), (21, 30)], 3),
        ([(0, 10), (0, 11), (12, 20), (12, 21)], 2),
        ([(0, 100), (0, 10), (12, 20), (22, 30)], 3),
        ([(None, 10), (None, 20)], 1),
    ],
)
def test_crashes_are_lifetimes_that_follow_each_other(lifetimes: list[tuple[int | None, int]], crashes: int) -> None:
    """Workers of one host live beside each other."""
    found = [
        Lifetime(None if start is None else NOW + timedelta(seconds=start), NOW + timedelta(seconds=end))
        for start, end in lifetimes
    ]
    assert count_crashes(found) == crashes


def report(
    kind: type[PublisherHeartbeat | PublisherStopped], second: float, clock: timedelta, born: timedelta
) -> Event:
    """Return a process's report by a clock that is wrong by ``clock``, and was wrong by ``born`` at its start."""
    known = {"boot_id": "b", "host": "proxy", "pid": 1, "version": "1", "integration": "litellm"}
    at = NOW + timedelta(seconds=second)
    return kind.model_validate(known | {"started_at": NOW + born, "occurred_at": at + clock})


@on_sqlite
@pytest.mark.parametrize("step_back", [timedelta(seconds=30), timedelta(minutes=4), timedelta(days=1)])
def test_a_clean_shutdown_after_the_clock_was_set_back_is_no_loss(
    runtime: Runtime, outbox: Outbox, step_back: timedelta
) -> None:
    """The last report is older than the heartbeats before it."""
    ahead = min(step_back, timedelta(minutes=4))
    ingest(batch(report(PublisherHeartbeat, 0, ahead, ahead)), runtime, now=NOW)
    ingest(batch(report(PublisherStopped, 5, ahead - step_back, ahead)), runtime, now=NOW + timedelta(seconds=5))
    live(runtime, 600, ("other", 0, FOREVER), start=15)

    assert notified(outbox) == []


@on_sqlite
def test_a_wrong_clock_makes_no_crash_loop(runtime: Runtime, outbox: Outbox) -> None:
    """Three processes of a host are killed at once. Their clock is a day ahead, or was at their start."""
    day, right = timedelta(days=1), timedelta(0)
    for second in range(0, 61, STEP):
        beats = []
        for number, (clock, born) in enumerate([(day, day), (day, day), (right, day), (right, day)]):
            own = {"boot_id": f"b{number}", "pid": number}
            # They report a second after one another, so that no two ended at the same time.
            beats.append(report(PublisherHeartbeat, second + number / 4, clock, born).model_copy(update=own))
        for number, one in enumerate(beats):
            ingest(batch(one), runtime, now=NOW + timedelta(seconds=second + number / 4))
    live(runtime, 900, ("other", 0, FOREVER), start=75)

    assert [severity for _, severity in notified(outbox)][:1] == [Severity.MEDIUM]
    assert Severity.HIGH not in {severity for _, severity in notified(outbox)}


@on_sqlite
def test_a_host_that_returns_with_a_clock_ahead_is_not_back_in_the_future(runtime: Runtime, outbox: Outbox) -> None:
    """The resolved message states how long the loss lasted."""
    live(runtime, 300, ("other", 0, FOREVER), ("proxy", 0, 60))
    for second in range(300, 900, STEP):
        now = NOW + timedelta(seconds=second)
        clock = timedelta(days=365)
        ingest(batch(report(PublisherHeartbeat, second, clock, clock + timedelta(seconds=300))), runtime, now=now)
        live(runtime, second + 1, ("other", 0, FOREVER), start=second)

    [over] = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert over.headline.startswith("Resolved after 4 min")
