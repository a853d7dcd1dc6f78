"""A host's clock is ahead for a while. Once it is right again, nothing waits until the time that it showed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alertworker.alerts.message import Step
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import AttemptFailed, Failure, Origin
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.pipeline.sweep import CANARY_EVERY
from alertworker.ports import Clock
from alertworker.store import SqlStore
from alertworker.store.schema.outages import CAUSES, OUTAGES, WINDOWS
from alertworker.store.schema.publishers import CLOCKS
from tests.integration.harness import Outbox, batch, canary, rows, run_until_quiet

WRONG = timedelta(hours=2)


@pytest.fixture
def now() -> datetime:
    """Return the real time: the clock of the database counts, too."""
    return datetime.now(UTC)


def incident(runtime: Runtime, at: datetime) -> None:
    """Let a deployment fail thirty calls within five seconds."""
    failure = Failure(error_class="APIError", status_code=503, origin=Origin.PROVIDER, message="no")
    times = [at + timedelta(seconds=number / 6) for number in range(30)]
    events = [
        AttemptFailed(
            call_id=f"call-{time}",
            started_at=time,
            occurred_at=time,
            model_group="gpt-4o",
            deployment_id="d1",
            provider="azure",
            failure=failure,
        )
        for time in times
    ]
    ingest(batch(*events, sealed_at=at), runtime, now=at + timedelta(seconds=6))
    for seconds in range(6, 60, 5):
        sweep(runtime, now=at + timedelta(seconds=seconds))


def test_canaries_are_sent_again_within_seconds(runtime: Runtime, store: SqlStore, now: datetime) -> None:
    """The next one came when the time was that of the wrong clock, and until then the pipeline seemed current."""
    sweep(runtime, now=now + WRONG)
    ingest(batch(canary(runtime, now + WRONG)), runtime, now=now + WRONG)
    sweep(runtime, now=now)
    sweep(runtime, now=now + CANARY_EVERY)

    sent = [event.occurred_at for event in runtime.broker.published]  # type: ignore[attr-defined]
    assert sent[-1] == now + CANARY_EVERY
    assert store.read(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED)) == now


def test_a_host_whose_clock_is_behind_changes_nothing(runtime: Runtime, store: SqlStore, now: datetime) -> None:
    """Times seem to be in the future to it alone."""
    sweep(runtime, now=now)
    before = rows(store, CLOCKS)
    sweep(runtime, now=now - WRONG)
    assert store.read(lambda tx: tx.clock.read(Clock.CANARY_SENT)) == now
    assert {row.name for row in before} <= {row.name for row in rows(store, CLOCKS)}


def test_an_outage_that_ended_in_the_future_hides_no_other(
    runtime: Runtime, store: SqlStore, outbox: Outbox, now: datetime
) -> None:
    """The state of a target says until when all outages are over."""
    ended = {"level": 0, "over_until": int((now + WRONG).timestamp())}
    with store.engine.begin() as connection:
        connection.execute(OUTAGES.insert().values(deployment_id="d1", provider="", region="", **ended))
    sweep(runtime, now=now + WRONG)
    sweep(runtime, now=now)
    incident(runtime, now)
    run_until_quiet(runtime, now + timedelta(minutes=1))

    assert [message.step for message in outbox.sent] == [Step.FIRING]


def test_failures_in_the_future_do_not_count_when_their_time_comes(
    runtime: Runtime, store: SqlStore, now: datetime
) -> None:
    incident(runtime, now + WRONG)
    assert rows(store, WINDOWS)
    sweep(runtime, now=now)
    assert rows(store, WINDOWS) == []
    assert rows(store, CAUSES) == []


def test_a_message_that_was_written_in_the_future_is_sent(runtime: Runtime, outbox: Outbox, now: datetime) -> None:
    """Its channel could not be reached at that time, so it waits for the next attempt, and so does its lane."""
    outbox.failures = [DeliveryError("away", Reason.UNREACHABLE) for _ in range(5)]
    incident(runtime, now + WRONG)
    for seconds in range(5):
        run_until_quiet(runtime, now + WRONG + timedelta(minutes=1, seconds=10 * seconds))
    outbox.failures.clear()
    sweep(runtime, now=now)
    run_until_quiet(runtime, now)

    assert [message.step for message in outbox.sent] == [Step.FIRING]
