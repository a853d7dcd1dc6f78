"""Batches, ledger, budgets, outages and retention, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from alertworker.budgets.configured import NOTHING_KEPT, Kept
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import Standing
from alertworker.budgets.user_thresholds import UserSpend
from alertworker.folding import Fold
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.ledger.time_zone import ZoneChange
from alertworker.outages.windows import Bucket, Calls, Outage, Target


class BookPort(Protocol):
    """Applied batches, the ledger, budgets and outages, and what is counted."""

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; false when it was applied before."""
        ...

    def add_fold(self, fold: Fold, *, max_entities: int, kept: Kept = NOTHING_KEPT) -> dict[SpendKey, SpendSums]:
        """Add a batch's sums to the ledger and the windows; gives the ledger's rows as they then stand.

        A dimension keeps about ``max_entities`` rows a day; what is beyond them is entered under "(other)", unless it
        is ``kept``.
        """
        ...

    def lock_outages(self, targets: Iterable[Target]) -> dict[Target, Outage]:
        """Give how deployments and regions stand, locked, and new ones with them."""
        ...

    def open_outages(self) -> dict[Target, Outage]:
        """Give those that have an outage, locked; what another worker has is left to it."""
        ...

    def keep_outages(self, standings: Mapping[Target, Outage]) -> None:
        """Keep how deployments and regions stand."""
        ...

    def count_members(self, alert_id: str) -> int:
        """Give how many of an alert's occurrences are kept by name."""
        ...

    def attempts(self, target: Target, *, start: int, end: int | None = None) -> list[Bucket]:
        """Give a target's buckets from one epoch second until before another."""
        ...

    def calls_failed_by(self, target: Target, *, start: int) -> Calls:
        """Give how calls ended from an epoch second on that a target had failed."""
        ...

    def lock_budgets(self, readings: Mapping[BudgetKey, Reading]) -> dict[BudgetKey, Standing]:
        """Give how these budgets stand, locked; one that was never heard of is there, locked, and not given."""
        ...

    def keep_budgets(self, standings: Mapping[BudgetKey, Standing]) -> None:
        """Keep how budgets stand."""
        ...

    def budget(self, key: BudgetKey) -> Standing | None:
        """Give how one budget stands."""
        ...

    def ended_budgets(self, *, now: datetime) -> dict[BudgetKey, Standing]:
        """Give the budgets whose period has ended and is not closed, locked."""
        ...

    def live_budgets(self) -> dict[BudgetKey, Standing]:
        """Give the budgets whose period is not closed."""
        ...

    def forget_budgets(self, *, before: datetime, limit: int) -> dict[BudgetKey, Standing]:
        """Forget budgets without periods that nobody reported since then, at most ``limit``; gives how they stood."""
        ...

    def users_of(self, day: date, *, before_days: int, least_nanos: int) -> Sequence[UserSpend]:
        """Give the users who spent something that day, and at least so much in it or in its month until then."""
        ...

    def spent_in(self, dimension: str, entities: Iterable[str], first: date, last: date) -> dict[str, int]:
        """Give what each entity spent over all teams in these days, in nano-dollars; those without are not in it."""
        ...

    def behind(
        self, dimension: str, entities: Sequence[str], first: date, last: date
    ) -> dict[str, list[tuple[str, int]]]:
        """Give the three teams, keys, users and models that spent most of it, with nano-dollars.

        As far as the ledger keeps such sums, by what they are; ``dimension`` is one of its own, or "proxy".
        """
        ...

    def newest_names(self, entities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Give the present names of entities, by dimension and id; those without one are not in it."""
        ...

    def bearers(self, dimension: str, names: Iterable[str]) -> dict[str, list[str]]:
        """Give the ids that have each of these as their present name: a rotated key's old and new hash."""
        ...

    def keep_zone(self, zone: str, *, now: datetime) -> ZoneChange | None:
        """Note in which time zone days are cut; gives the change, if it is one."""
        ...

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        ...

    def dead_letter(
        self, kind: str, reason: str, payload: bytes, *, batch_id: str | None, position: int | None, now: datetime
    ) -> None:
        """Keep what nobody will retry."""
        ...

    def prune(self, *, before: datetime, limit: int) -> bool:
        """Forget batches that were applied or came again, ended calls and budgets, and windows, all from before then.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_records(self, *, before: datetime, limit: int) -> bool:
        """Forget alerts, notifications, dead letters, silences and publishers that were over before that moment.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_ledger(self, *, before: date) -> bool:
        """Forget a piece of the ledger's months that ended before that day; true where that may not have been all."""
        ...
