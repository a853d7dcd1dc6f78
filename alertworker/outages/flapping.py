"""Flapping: if outages of a target end and return, the third within an hour stays open until the target is well.

Pure. The episodes of a target are stored with its state and are in event time, so neither a redelivery nor the number
of workers changes what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

from alertworker.alerts.alert import Alert, Subject
from alertworker.alerts.catalogue import FLAPPING
from alertworker.outages.headline import as_flapping
from alertworker.outages.windows import Episode, Outage
from alertworker.text.format import spell

_A = TypeVar("_A", bound=Alert | Subject)

#: A target flaps if at least this many of its outages began within this many seconds.
_FROM: Final = 3
_WITHIN: Final = 3_600
#: A flapping condition ends after this many seconds without an outage.
_QUIET: Final = 900
#: No reminder is sent after this many seconds without an outage.
_WELL: Final = 300
#: The maximum number of episodes that a state keeps.
_MAX_EPISODES: Final = 100


def opened(outage: Outage, rank: int, *, is_dead: bool, since: int) -> Outage:
    """Return the state of a target whose outage opens or returns, from the epoch second ``since`` on."""
    earlier = outage.episodes
    if not outage.is_flapping:
        earlier = tuple(one for one in earlier if one.start > since - _WITHIN)
    episodes = (*earlier, Episode(since, since))[-_MAX_EPISODES:]
    flaps = outage.is_flapping or len(episodes) >= _FROM
    return Outage.of(rank, over_until=outage.over_until, episodes=episodes, is_dead=is_dead, is_flapping=flaps)


def recovered(outage: Outage, at: int, *, over_until: int) -> Outage:
    """Return the state of a flapping target that recovered at the epoch second ``at``: its condition stays open."""
    episodes = _ended(outage, at)
    return Outage.of(outage.rank, over_until=over_until, episodes=episodes, is_flapping=True, is_up=True)


def closed(outage: Outage, at: int, *, over_until: int) -> Outage:
    """Return the state of a target whose outage ended at the epoch second ``at``."""
    episodes = outage.episodes if outage.is_up else _ended(outage, at)
    return Outage(over_until=over_until, episodes=episodes)


def has_ended(outage: Outage, until: int) -> bool:
    """Return whether a flapping target had no outage for long enough to end, at the epoch second ``until``."""
    return until - outage.episodes[-1].end >= _QUIET


def has_recovered(outage: Outage, until: int) -> bool:
    """Return whether a flapping target had no outage for so long that a reminder would be wrong."""
    return outage.is_up and until - outage.episodes[-1].end >= _WELL


def describe(alert: _A, outage: Outage, *, until: int) -> _A:
    """Return an outage's alert. If the target flaps, it has the number and total length of its outages until ``until``.

    >>> spell_episodes([Episode(0, 180), Episode(1_500, 1_740), Episode(3_000, 3_000)], until=3_120, is_up=False)
    '3 outages in 52 min; down for 9 min in all'
    """
    if not outage.is_flapping:
        return alert
    text = spell_episodes(outage.episodes, until=until, is_up=outage.is_up)
    return replace(
        as_flapping(alert),
        labels={**alert.labels, FLAPPING: "true"},
        facts={"Flapping": text} | {name: value for name, value in alert.facts.items() if name != "Flapping"},
    )


def spell_episodes(episodes: Sequence[Episode], *, until: int, is_up: bool) -> str:
    """Return how often a target failed, within which time, and for how long, until the epoch second ``until``.

    Only the newest outages are stored, so of a target that failed more often the text says "at least".
    """
    *ended, last = episodes
    end = last.end if is_up else max(last.start, until)
    down = sum(one.end - one.start for one in ended) + end - last.start
    lasted = timedelta(seconds=end - episodes[0].start)
    outages, total = f"{len(episodes)} outages in {spell(lasted)}", spell(timedelta(seconds=down))
    if len(episodes) >= _MAX_EPISODES:
        return f"at least {outages}; down for at least {total} in all"
    return f"{outages}; down for {total} in all"


def _ended(outage: Outage, at: int) -> tuple[Episode, ...]:
    """Return the episodes of a target whose last one ended. Rows of the previous version have none."""
    *before, last = outage.episodes or (Episode(at, at),)
    return (*before, Episode(last.start, max(last.start, at)))
