"""A caller's metadata is on every alert of its call, in every batch and at every place in it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alertworker.alerts.message import Message, Step
from alertworker.events import AttemptFailed, DeploymentCooledDown, Event, Failure, Origin
from alertworker.pipeline import Runtime, ingest, sweep
from tests.integration.harness import FACTS, NOW, Outbox, announced, answered, batch, failed, run_until_quiet
from tests.integration.test_relayed import said

WORLD, TICKET = {"hello": "world"}, {"ticket": "T-17"}
LATER = NOW + timedelta(seconds=1)


def noted(event: Event, note: dict[str, str], *, at: datetime = NOW) -> Event:
    """Return an event with this metadata to show."""
    return event.model_copy(update={"alerting_metadata": note, "occurred_at": at})


def attempt(call_id: str) -> AttemptFailed:
    """Return an attempt that failed because of its deployment."""
    failure = Failure(error_class="APIError", status_code=503, origin=Origin.PROVIDER)
    return AttemptFailed(call_id=call_id, started_at=NOW, occurred_at=NOW, failure=failure, **FACTS)


def cooled_down(call_id: str) -> DeploymentCooledDown:
    """Return a cooldown after a failed attempt."""
    failure = Failure(error_class="RateLimitError", status_code=429, origin=Origin.PROVIDER)
    return DeploymentCooledDown(call_id=call_id, deployment_id="d1", seconds=5, occurred_at=NOW, failure=failure)


def unpriced(call_id: str) -> Event:
    """Return an answer without a price."""
    return answered(call_id, prompt_tokens=1, cost_nanos=None)


def notified(runtime: Runtime, outbox: Outbox, *, summary: bool = True) -> list[Message]:
    """Send the notice and the summary that followed it."""
    run_until_quiet(runtime, NOW)
    if summary:
        sweep(runtime, now=NOW + timedelta(seconds=11))
        run_until_quiet(runtime, NOW + timedelta(seconds=11))
    return outbox.sent


def test_each_failed_call_has_its_own_in_its_line_and_the_newest_has_it_in_the_message(
    runtime: Runtime, outbox: Outbox
) -> None:
    """A call without metadata, before it or after it, does not remove the metadata."""
    ingest(batch(failed("c1"), noted(failed("c2"), WORLD)), runtime, now=NOW)
    ingest(batch(noted(failed("c3"), TICKET, at=LATER), failed("c4", at=NOW)), runtime, now=LATER)
    ingest(batch(failed("c5", at=LATER)), runtime, now=LATER)
    notice, summary = notified(runtime, outbox)

    assert (notice.step, notice.metadata) == (Step.NOTICE, WORLD)
    assert notice.members == ("c1 · search · app", "c2 · search · app · hello=world")
    assert (summary.step, summary.metadata) == (Step.SUMMARY, TICKET)
    assert "c3 · search · app · ticket=T-17" in summary.members


@pytest.mark.parametrize(
    "events",
    [
        [answered("c1", 9), answered("c2", 4)],
        [announced("c1", 9), announced("c2", 4)],
        [unpriced("c1"), unpriced("c2")],
        [cooled_down("c1"), cooled_down("c2")],
        [attempt(f"c{number}") for number in (1, 3, 4, 5, 2)],
    ],
    ids=["slow", "hanging", "unpriced", "cooled down", "outage"],
)
def test_all_alerts_about_calls_show_it(runtime: Runtime, outbox: Outbox, events: list[Event]) -> None:
    """This includes messages about another call of the same batch: the slowest, the oldest, the first."""
    ingest(batch(*events[:-1], noted(events[-1], WORLD)), runtime, now=NOW)
    sweep(runtime, now=NOW + timedelta(seconds=10))
    run_until_quiet(runtime, NOW + timedelta(seconds=10))
    [message] = outbox.sent

    assert message.metadata == WORLD
    assert [member for member in message.members if "hello=world" in member] == [
        member for member in message.members if "c2" in member
    ]
    assert len([member for member in message.members if "c2" in member]) == 1


def test_a_continuing_outage_shows_the_newest(runtime: Runtime, outbox: Outbox) -> None:
    """Reminders and the resolving message show metadata of calls that failed after the first message."""
    ingest(batch(*(noted(attempt(f"a{number}"), WORLD) for number in range(5))), runtime, now=NOW)
    ingest(batch(noted(attempt("b"), TICKET)), runtime, now=NOW)
    ingest(batch(attempt("c")), runtime, now=NOW)
    for later in (timedelta(seconds=10), timedelta(days=1)):
        sweep(runtime, now=NOW + later)
    run_until_quiet(runtime, NOW + timedelta(days=1))

    assert [(message.step, message.metadata) for message in outbox.sent[-1:]] == [(Step.REMINDER, TICKET)]


def test_a_line_stays_a_line(runtime: Runtime, outbox: Outbox) -> None:
    """Metadata is cut in a line, and cannot contain line breaks. The message has all of it."""
    note = {"a": "x" * 500, "b": "first\nsecond", "c": "3", "d": "4"}
    ingest(batch(noted(failed("c1"), note)), runtime, now=NOW)
    [message] = notified(runtime, outbox, summary=False)

    assert message.members == (f"c1 · search · app · a={'x' * 39}… · b=first second · c=3 · …",)
    assert message.metadata == note


def test_a_relayed_alert_keeps_the_newest_metadata(runtime: Runtime, outbox: Outbox) -> None:
    """Several relayed alerts are in one batch."""
    texts = [said("llm_exceptions", "boom"), said("llm_exceptions", "boom", metadata=WORLD)]
    ingest(batch(*texts), runtime, now=NOW)
    [message] = notified(runtime, outbox, summary=False)

    assert message.metadata == WORLD
