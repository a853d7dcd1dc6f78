"""The work of the fold for each event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from typing_extensions import override

from alertworker.events import RequestSucceeded
from alertworker.folding import fold

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


class Counted(tzinfo):
    """UTC, which counts how often it is asked for its offset."""

    asked = 0

    @override
    def utcoffset(self, _: datetime | None) -> timedelta:
        self.asked += 1
        return timedelta()

    @override
    def tzname(self, _: datetime | None) -> str:
        return "UTC"

    @override
    def dst(self, _: datetime | None) -> timedelta:
        return timedelta()


def test_an_event_costs_few_calculations_with_its_times() -> None:
    """Each asks pydantic's time zones for their offsets, which was most of the fold's time."""
    zone = Counted()
    at = NOW.replace(tzinfo=zone)
    call = RequestSucceeded.model_construct(
        call_id="c",
        occurred_at=at,
        started_at=NOW.replace(tzinfo=Counted()),
        ended_at=at,
        deployment_id="d",
        provider="openai",
        model="gpt-4o",
        completion_tokens=5,
        team_id="t",
        team_alias="search",
    )
    zone.asked = 0

    folded = fold([call], slow_seconds=300, zone=ZoneInfo("Asia/Tokyo"), now=NOW)

    assert {key.day for key in folded.ledger.latencies} == {NOW.date()}
    assert zone.asked <= 3  # the epoch second, and the duration for the ledger and for slow calls
