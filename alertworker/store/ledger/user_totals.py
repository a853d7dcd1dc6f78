"""The spend of users and other entities, for the pipeline. No single request is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, case, or_, select
from typing_extensions import override

from alertworker.budgets.user_thresholds import UserSpend
from alertworker.events.attribution import NO_TEAM
from alertworker.ledger.cardinality import OTHER
from alertworker.ledger.reader import Days
from alertworker.ports.user_totals import UserTotalPort
from alertworker.store.ledger.aliases import AliasStatements
from alertworker.store.ledger.contributors import contributors
from alertworker.store.ledger.months import LedgerRows
from alertworker.store.schema.ledger import SPEND
from alertworker.store.sums import capped_sum
from alertworker.store.upsert import Statements

#: How many entities one statement names.
_CHUNK: Final = 500
#: The maximum number of contributors that an alert names.
_TOP: Final = 3


class UserTotalStatements(Statements, UserTotalPort):
    """Sums by user and by entity in SQL."""

    def __init__(self, connection: Connection, aliases: AliasStatements) -> None:
        super().__init__(connection)
        self._aliases = aliases

    @override
    def user_spend(self, day: date, *, before_days: int, least_nanos: int) -> Sequence[UserSpend]:
        month, before = day.replace(day=1), day - timedelta(days=before_days)
        spent = SPEND.c.spend_nanos
        periods = (
            ("day", SPEND.c.day == day),
            ("month", SPEND.c.day >= month),
            ("before", (SPEND.c.day >= before) & (SPEND.c.day < day)),
        )
        users = (
            select(SPEND.c.entity, *(capped_sum(case((own, spent), else_=0)).label(name) for name, own in periods))
            .where(SPEND.c.dimension == "user", SPEND.c.day.between(min(month, before), day), SPEND.c.entity != OTHER)
            .group_by(SPEND.c.entity)
            .subquery()
        )
        over = or_(users.c.day >= least_nanos, users.c.month >= least_nanos)
        statement = select(users).where(users.c.day > 0, over).order_by(users.c.entity)
        rows = self.connection.execute(statement).all()
        names = self._aliases.newest_names(("user", row[0]) for row in rows)
        return [
            UserSpend(row[0], names.get(("user", row[0]), ""), int(row[1]), int(row[2]), int(row[3])) for row in rows
        ]

    @override
    def spend_by_entity(self, dimension: str, entities: Iterable[str], first: date, last: date) -> dict[str, int]:
        wanted, spent = sorted(set(entities)), dict[str, int]()
        for start in range(0, len(wanted), _CHUNK):
            rows = LedgerRows(dimension, {"entity": wanted[start : start + _CHUNK]}).over(Days(first, last))
            statement = select(rows.c.entity, capped_sum(rows.c.spend_nanos)).group_by(rows.c.entity)
            spent |= {entity: int(nanos) for entity, nanos in self.connection.execute(statement)}
        return spent

    @override
    def top_contributors(
        self, dimension: str, entities: Sequence[str], first: date, last: date
    ) -> dict[str, list[tuple[str, int]]]:
        found = contributors(self.connection, dimension, entities, Days(first, last), limit=4 * _TOP)
        top: dict[str, list[tuple[str, int]]] = {}
        for contributor, rows in found.items():
            spent = Counter[str]()  # a rotated key has several hashes and one name
            for row in rows:
                if row.sums.spend_nanos > 0:
                    spent[row.alias or row.entity or NO_TEAM] += row.sums.spend_nanos
            top[contributor] = sorted(spent.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]
        return top
