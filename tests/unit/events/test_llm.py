"""The time of an ended call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.events import RequestAbandoned, RequestAnnounced, RequestFailed, RequestSucceeded
from alertworker.events.llm import EndEvent
from alertworker.folding import fold

ENDED = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
FACTS = {"call_id": "c", "started_at": ENDED - timedelta(seconds=3), "ended_at": ENDED}
FAILURE = {"error_class": "APIError", "origin": "provider"}


@pytest.mark.parametrize(
    ("model", "more"),
    [(RequestSucceeded, {}), (RequestFailed, {"failure": FAILURE}), (RequestAbandoned, {"reason": "cancelled"})],
)
def test_an_ended_call_occurred_at_its_end(model: type[EndEvent], more: dict[str, Any]) -> None:
    """The time of arrival differs at each redelivery."""
    first, again = (model.model_validate(FACTS | more) for _ in range(2))

    assert first.occurred_at == again.occurred_at == ENDED


def test_the_producers_own_time_counts() -> None:
    """A producer can have a reason to count a call at another time."""
    later = ENDED + timedelta(hours=1)

    assert RequestSucceeded.model_validate(FACTS | {"occurred_at": later}).occurred_at == later


def test_an_end_in_the_future_is_clamped() -> None:
    """A producer's clock that is ahead moves the call to the present, as with ``occurred_at``."""
    result = fold(
        [RequestFailed.model_validate(FACTS | {"failure": FAILURE})],
        slow_seconds=300,
        zone=ZoneInfo("UTC"),
        now=ENDED - timedelta(hours=1),
    )

    assert result.clamped == 1
    assert result.failed[0].occurred_at == ENDED - timedelta(hours=1)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=3_650)])
def test_a_clock_that_is_ahead_moves_all_times_of_an_event(ahead: timedelta) -> None:
    """Else a message of today states that a call hangs since next year. Durations stay."""
    early = ENDED - timedelta(seconds=2)
    announced = {
        "call_id": "h",
        "started_at": ENDED - timedelta(seconds=9),
        "last_progress_at": early,
        "age_seconds": 2,
    }
    events = [
        RequestSucceeded.model_validate(FACTS | {"first_token_at": early}),
        RequestAnnounced.model_validate(announced | {"occurred_at": ENDED, "boot_id": "b"}),
    ]

    now = ENDED - ahead
    result = fold(events, slow_seconds=1, zone=ZoneInfo("UTC"), now=now)
    [slow], hanging = result.slow, result.announced["h"]
    assert (slow.occurred_at, slow.ended_at, slow.first_token_at) == (now, now, now - timedelta(seconds=2))
    assert slow.ended_at - slow.started_at == timedelta(seconds=3)
    assert (hanging.started_at, hanging.last_progress_at) == (now - timedelta(seconds=9), now - timedelta(seconds=2))
