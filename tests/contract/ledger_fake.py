"""A ledger in memory, which answers as the one in SQL does. Reports in the tests are built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from alertworker.events import Attribution
from alertworker.ledger.histogram import Latency, bucket_of
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days, DeploymentDays, SpendRow
from alertworker.ledger.rows import FallbackSums, LatencySums, SpendKey, SpendSums
from alertworker.money import NANOS_PER_DOLLAR


def latency(*milliseconds: int) -> Latency:
    """Return durations in their buckets."""
    buckets: dict[int, LatencySums] = {}
    for duration in milliseconds:
        sums = buckets.setdefault(bucket_of(duration * 1_000), LatencySums())
        sums.count += 1
        sums.microseconds += duration * 1_000
    return Latency(buckets)


@dataclass
class FakeLedger:
    """A `LedgerReader` of the calls that `spend` entered. Everything else is as it was set."""

    names: dict[tuple[str, str], str] = field(default_factory=dict)
    slow: list[DeploymentDays] = field(default_factory=list)
    went: dict[tuple[str, str], FallbackSums] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    ledger: Postings = field(default_factory=Postings)
    _rows: dict[SpendKey, SpendSums] = field(default_factory=dict)

    def spend(
        self, day: date, dollars: float, team: str = "", tags: tuple[str, ...] = (), requests: int = 1, **sums: int
    ) -> None:
        """Enter calls of a team; each is of its one key, by one model."""
        whose = Attribution(team_id=team, key_hash=f"{team}-key" if team else "", model="gpt-4o", tags=tags)
        values = {"prompt_tokens": 1_000 * requests, "completion_tokens": 100 * requests, **sums}
        spent = SpendSums(requests=requests, spend_nanos=round(dollars * NANOS_PER_DOLLAR), **values)
        self._rows.clear()
        self.ledger.add_calls(day, whose, spent)

    def total(self, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Return the sums of all calls."""
        sums = SpendSums()
        for one in self._found("team", days, team_id).values():
            sums.add(one)
        return sums

    def spent(self, dimension: str, entity: str, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Return the sums of one entity."""
        return self._found(dimension, days, team_id).get((entity, ""), SpendSums())

    def totals(
        self,
        dimension: str,
        days: Days,
        *,
        before: Days | None = None,
        team_id: str | None = None,
        limit: int | None = None,
    ) -> list[SpendRow]:
        """Return the entities, the highest first."""
        now = self._found(dimension, days, team_id)
        then = self._found(dimension, before, team_id) if before else {}
        places = sorted(now | then, key=lambda place: (-now.get(place, SpendSums()).spend_nanos, *place))[:limit]
        return [
            SpendRow(
                *place,
                self.names.get((dimension, place[0]), ""),
                now.get(place, SpendSums()),
                then.get(place, SpendSums()),
            )
            for place in places
        ]

    def by_day(self, days: Days, *, team_id: str | None = None) -> dict[date, SpendSums]:
        """Return the sums by day."""
        found: dict[date, SpendSums] = {}
        for key, sums in self._spent().items():
            if key.dimension == "team" and days.first <= key.day <= days.last and team_id in (None, key.team_id):
                found.setdefault(key.day, SpendSums()).add(sums)
        return found

    def top_contributors(self, dimension: str, entity: str, days: Days, *, limit: int) -> dict[str, list[SpendRow]]:
        """Return nothing."""
        del dimension, entity, days, limit
        return {}

    def fallbacks(self, days: Days) -> dict[tuple[str, str], FallbackSums]:
        """Return what was set."""
        del days
        return self.went

    def deployments(self, days: Days) -> list[DeploymentDays]:
        """Return what was set."""
        del days
        return self.slow

    def dropped(self, days: Days) -> dict[str, int]:
        """Return what was set."""
        del days
        return dict(self.lost)

    def _spent(self) -> Mapping[SpendKey, SpendSums]:
        self._rows = self._rows or self.ledger.spend()
        return self._rows

    def _found(self, dimension: str, days: Days, team_id: str | None) -> dict[tuple[str, str], SpendSums]:
        found: dict[tuple[str, str], SpendSums] = {}
        for key, sums in self._spent().items():
            own = key.dimension == dimension and team_id in (None, key.team_id)
            if own and days.first <= key.day <= days.last:
                found.setdefault((key.entity, key.part), SpendSums()).add(sums)
        return found
