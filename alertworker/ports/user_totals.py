"""The ledger's sums by user and by entity, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Protocol

from alertworker.budgets.user_thresholds import UserSpend


class UserTotalPort(Protocol):
    """Sums of the ledger by user, and by any other entity."""

    def user_spend(self, day: date, *, before_days: int, least_nanos: int) -> Sequence[UserSpend]:
        """Return the users who spent on that day, if the day or its month until then reaches ``least_nanos``."""
        ...

    def spend_by_entity(self, dimension: str, entities: Iterable[str], first: date, last: date) -> dict[str, int]:
        """Return what each entity spent over all teams in these days, in nano-dollars; without spend it is left out."""
        ...

    def top_contributors(
        self, dimension: str, entities: Sequence[str], first: date, last: date
    ) -> dict[str, list[tuple[str, int]]]:
        """Return the three teams, keys, users and models that spent the most of it, by name, with nano-dollars.

        ``dimension`` is one of the ledger's, or "proxy". The ``entities`` count as one. A kind of contributor that the
        ledger does not sum up for the dimension is left out.
        """
        ...
