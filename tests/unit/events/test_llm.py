"""The time of an ended call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.events import RequestAbandoned, RequestFailed, RequestSucceeded
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
