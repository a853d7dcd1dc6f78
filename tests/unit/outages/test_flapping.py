"""Which outages of a target are one flapping condition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertworker.outages import flapping
from alertworker.outages.windows import Episode, Outage


def fail(outage: Outage, since: int, seconds: int = 60) -> Outage:
    """Return the state after an outage that begins at a time and ends."""
    opened = flapping.opened(outage, 1, is_dead=False, since=since)
    end = flapping.recovered if opened.is_flapping else flapping.closed
    return end(opened, since + seconds, over_until=since + seconds + 100)


@pytest.mark.parametrize(
    ("starts", "flaps"), [((0, 1_000), False), ((0, 1_000, 3_599), True), ((0, 1_000, 3_600), False)]
)
def test_the_third_outage_that_begins_within_an_hour_flaps(starts: tuple[int, ...], *, flaps: bool) -> None:
    """An outage that began an hour ago is forgotten."""
    state = Outage()
    for start in starts:
        state = fail(state, start)
    assert (state.is_flapping, state.is_up, bool(state.state)) == (flaps, flaps, flaps)


def test_a_flapping_target_counts_earlier_outages() -> None:
    """It ends after 15 minutes without an outage, and keeps its newest outages for the next hour."""
    state = Outage()
    for start in range(0, 6_000, 600):
        state = fail(state, start)
    assert (len(state.episodes), state.episodes[0]) == (10, Episode(0, 60))
    assert (flapping.has_ended(state, 6_359), flapping.has_ended(state, 6_360)) == (False, True)

    closed = flapping.closed(state, 0, over_until=6_360)
    assert (closed.state, closed.episodes) == (0, state.episodes)
    again = flapping.opened(closed, 2, is_dead=True, since=6_500)
    assert (again.rank, again.is_dead, again.is_flapping, again.is_up) == (2, True, True, False)
    assert again.episodes[0] == Episode(3_000, 3_060)


def test_the_number_of_stored_outages_is_bounded() -> None:
    """A target that flaps for days keeps the newest."""
    state = Outage()
    for start in range(0, 60_000, 200):
        state = fail(state, start)
    assert (len(state.episodes), state.episodes[-1]) == (100, Episode(59_800, 59_860))
    text = flapping.spell_episodes(state.episodes, until=60_000, is_up=True)
    assert text == "at least 100 outages in 5 h 31 min; down for at least 1 h 40 min in all"


def test_a_row_of_the_previous_version_has_no_outages() -> None:
    """Its present one counts from its end."""
    old = Outage(2, 70)
    assert (old.rank, old.is_dead, old.is_flapping, old.is_up) == (2, False, False, False)
    assert flapping.closed(old, 500, over_until=600).episodes == (Episode(500, 500),)
    assert replace(old, state=9).is_dead
