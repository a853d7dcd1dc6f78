"""Questions to the ledger, for reports, budgets and people, as a Protocol; `app` names the class that answers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from alertworker.ledger.histogram import Latency
from alertworker.ledger.rows import SUCCEEDED, FallbackSums, SpendSums


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The spend of one entity of a dimension; ``alias`` is its current name, "" if none is known.

    ``part`` is the second half of a pair ("key/model"), or "". ``before`` are the sums of the earlier period in the
    query, or zeros if the query has none.
    """

    entity: str
    part: str
    alias: str
    sums: SpendSums
    before: SpendSums


@dataclass(frozen=True, slots=True)
class DeploymentDays:
    """A deployment over some days: its attempts by outcome ("succeeded", classes of errors), and its latency.

    ``alias`` is its model, and ``title`` also has its provider and region. Both are "" if they are unknown.
    ``per_token`` is in seconds per output token, ``first_token`` in seconds until the first one.
    """

    deployment_id: str
    alias: str
    attempts: Mapping[str, int]
    per_token: Latency
    first_token: Latency
    title: str = ""

    @property
    def failed(self) -> int:
        """The number of attempts that failed."""
        return sum(count for outcome, count in self.attempts.items() if outcome != SUCCEEDED)


@dataclass(frozen=True, slots=True)
class Days:
    """A range of days in the configured zone, both ends included."""

    first: date
    last: date


class LedgerReader(Protocol):
    """Questions to the ledger. Days are those of the configured zone; every method may raise `StoreUnavailable`."""

    def total(self, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Return the sums of all requests, or of one team's; "" selects calls without a team. A request counts once."""
        ...

    def spent(self, dimension: str, entity: str, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Return the sums of one entity, over all teams or within one."""
        ...

    def totals(
        self,
        dimension: str,
        days: Days,
        *,
        before: Days | None = None,
        team_id: str | None = None,
        limit: int | None = None,
    ) -> list[SpendRow]:
        """Return the entities of a dimension, by spend in descending order, beside their spend in the days ``before``.

        An entity that spent only ``before`` is included. Ties are in the order of the entities.
        """
        ...

    def by_day(self, days: Days, *, team_id: str | None = None) -> dict[date, SpendSums]:
        """Return the sums of all requests, or of a team's, for each day that has any."""
        ...

    def top_contributors(self, dimension: str, entity: str, days: Days, *, limit: int) -> dict[str, list[SpendRow]]:
        """Return the top contributors to an entity's spend, by dimension: a team's keys and models, for example.

        A dimension without contributors is left out.
        """
        ...

    def fallbacks(self, days: Days) -> dict[tuple[str, str], FallbackSums]:
        """Return how calls with a fallback ended, by the model group that was asked for and the one used last."""
        ...

    def dropped(self, days: Days) -> dict[str, int]:
        """Return how many events publishers dropped in these days, by reason, as they reported it."""
        ...

    def deployments(self, days: Days) -> list[DeploymentDays]:
        """Return each deployment's attempts and latencies; "" stands for calls that reached no deployment."""
        ...
