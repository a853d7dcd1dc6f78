"""Hanging calls whose events arrive late, from a spool after an outage of the broker."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alertworker.alerts.message import Step
from alertworker.events import RequestAnnounced, RequestSucceeded
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.batches import COUNTERS
from tests.integration.harness import FACTS, NOW, Outbox, batch, rows, run_until_quiet


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def announced(call_id: str, began: float, at: float, host: str = "boot-1") -> RequestAnnounced:
    """Return the announcement of a running call."""
    return RequestAnnounced(
        call_id=call_id,
        started_at=after(began),
        last_progress_at=after(began),
        occurred_at=after(at),
        age_seconds=at - began,
        boot_id=host,
        **FACTS,
    )


def ended(call_id: str, began: float, at: float) -> RequestSucceeded:
    """Return the end of an announced call."""
    times = {"started_at": after(began), "ended_at": after(at), "occurred_at": after(at)}
    return RequestSucceeded(call_id=call_id, announced=True, cost_nanos=1, **times, **FACTS)


def sweep_at(runtime: Runtime, seconds: float) -> None:
    """Sweep and deliver at this second."""
    sweep(runtime, now=after(seconds))
    run_until_quiet(runtime, after(seconds))


def notified(outbox: Outbox) -> list[tuple[Step, str]]:
    """Return what was sent about hanging calls."""
    return [(message.step, message.headline) for message in outbox.sent if "hanging" in message.headline]


def over(runtime: Runtime, outbox: Outbox) -> None:
    """Let a call hang, and end by second 50, with all its messages sent."""
    ingest(batch(announced("a", 0, 5)), runtime, now=after(5))
    sweep_at(runtime, 5)
    ingest(batch(ended("a", 0, 50)), runtime, now=after(51))
    sweep_at(runtime, 51)
    assert [step for step, _ in notified(outbox)] == [Step.FIRING, Step.RESOLVED]
    outbox.sent.clear()


def test_a_late_announcement_of_before_the_last_end_opens_nothing(
    runtime: Runtime, store: SqlStore, outbox: Outbox
) -> None:
    """The announcement waited in a spool, and so did the call's end, which arrives in the next batch."""
    over(runtime, outbox)
    ingest(batch(announced("b", -1, 2)), runtime, now=after(100))
    sweep_at(runtime, 100)
    ingest(batch(ended("b", -1, 4)), runtime, now=after(101))
    sweep_at(runtime, 102)

    assert notified(outbox) == []
    counted = {(row.name, row.label): row.value for row in rows(store, COUNTERS)}
    assert counted["dropped", "outdated_announcement"] == 1


def test_a_call_that_is_announced_again_keeps_the_condition_open(runtime: Runtime, outbox: Outbox) -> None:
    """The next announcement is later than the last end."""
    over(runtime, outbox)
    ingest(batch(announced("b", -1, 2)), runtime, now=after(100))
    ingest(batch(announced("b", -1, 62)), runtime, now=after(100))
    sweep_at(runtime, 100)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING]


def test_an_announcement_that_is_not_late_opens_at_once(runtime: Runtime, outbox: Outbox) -> None:
    """This includes one from just before the end of another call: batches overtake each other."""
    over(runtime, outbox)
    ingest(batch(announced("b", 40, 50, "boot-2")), runtime, now=after(52))
    sweep_at(runtime, 52)

    assert [step for step, _ in notified(outbox)] == [Step.FIRING]


def test_calls_hung_until_the_last_one_ended_even_if_reported_late(runtime: Runtime, outbox: Outbox) -> None:
    """Both ends arrive 90 s late."""
    ingest(batch(announced("a", 0, 3), announced("b", 0, 3)), runtime, now=after(100))
    sweep_at(runtime, 100)
    ingest(batch(ended("a", 0, 5), ended("b", 0, 4)), runtime, now=after(101))
    sweep_at(runtime, 110)

    assert notified(outbox)[1:] == [(Step.RESOLVED, "Resolved after 5 s: 2 calls were hanging on gpt-4o")]
    assert outbox.sent[-1].at == after(110)


def test_a_reminder_counts_the_calls_that_still_hang(runtime: Runtime, outbox: Outbox) -> None:
    """Facts of one call are not shown for several: the calls below the facts name their keys and teams."""
    runtime = replace(runtime, router=replace(runtime.router, repeat_interval=600.0))
    calls = [announced(name, 0, 3).model_copy(update={"team_id": name}) for name in ("a", "b", "c")]
    ingest(batch(*calls), runtime, now=after(3))
    sweep_at(runtime, 3)
    ingest(batch(ended("a", 0, 5)), runtime, now=after(6))
    sweep_at(runtime, 700)

    firing, reminder = (message for message in outbox.sent if message.step is not Step.NOTICE)
    assert firing.facts["By team"] == "a ×1, b ×1, c ×1"
    assert next(iter(firing.facts)) == "By team"
    assert "Team" not in firing.facts
    assert (reminder.step, reminder.headline) == (
        Step.REMINDER,
        "Still: Requests are hanging - 2 calls without progress on gpt-4o",
    )
    assert reminder.facts["Ended"] == "1 finished, 2 still running"
