"""The spend ledger, as one transaction sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.budgets.user_thresholds import UserSpend
from alertworker.folding import Fold
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.ledger.time_zone import ZoneChange


class LedgerPort(Protocol):
    """Sums of spend, names of entities and the time zone that days are cut in."""

    def add_fold(
        self, fold: Fold, *, max_entities: int, kept: CapExemptions = NO_EXEMPTIONS
    ) -> dict[SpendKey, SpendSums]:
        """Add a batch's sums to the ledger and the windows; gives the ledger's rows as they then stand.

        A dimension keeps about ``max_entities`` rows a day; what is beyond them is entered under "(other)", unless it
        is ``kept``.
        """
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
