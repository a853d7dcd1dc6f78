"""Durations and moments: one way to show them, and one way to read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertworker.text.format import read_duration, spell, spell_moment


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (400, "6 min 40 s"),
        (3_605, "1 h"),
        (11_000, "3 h 3 min"),
        (90_000, "1 d 1 h"),
        (86_460, "1 d"),
        (40_000_000, "462 d 23 h"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, shown: str) -> None:
    """Smaller units are useless to a person."""
    assert spell(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("030m", 1_800), ("2h", 7_200), ("1d", 86_400), ("1w", 604_800), ("100000w", 100_000 * 604_800)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    """Alertmanager and LiteLLM have the same form."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "h", "0h", "-1h", "1.5h", "1 h", "5", "1mo", "100001w", "999999999w", "١h", "1h\n"]
)
def test_an_invalid_duration_is_refused_with_an_example(text: str) -> None:
    """A calendar month is none: its length depends on where it begins."""
    with pytest.raises(ValueError, match="expected, for example, 30m, 2h or 1d"):
        read_duration(text)


@pytest.mark.parametrize(
    ("moment", "zone", "shown"),
    [
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "Asia/Tokyo", "9999-12-31 23:59:00 UTC"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "America/New_York", "9999-12-31 18:59:00 EST"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "0001-01-01 00:00:00 UTC"),
    ],
)
def test_a_moment_without_a_local_time_is_shown_in_utc(moment: datetime, zone: str, shown: str) -> None:
    """A silence may end in the last hours of the year 9999, and the pages list it."""
    assert spell_moment(moment, ZoneInfo(zone)) == shown
