"""What single users spent, for the hourly look at them; no single request is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import case, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from alertworker.budgets.user_thresholds import UserSpend
from alertworker.events.attribution import NO_TEAM
from alertworker.ledger.cardinality import OTHER
from alertworker.ledger.reader import Days
from alertworker.ledger.rows import MAX_PART
from alertworker.store.ledger.aliases import AliasStatements
from alertworker.store.ledger.months import Rows
from alertworker.store.schema.ledger import SPEND
from alertworker.text.shorten import shorten_id

_TEAM, _ENTITY, _PART = SPEND.c.team_id, SPEND.c.entity, SPEND.c.part
#: Who is behind an entity's spend: what they are, the dimension to look in, and the columns of the entity and of them.
#: The whole proxy is no entity.
_BEHIND: Final[Mapping[str, tuple[tuple[str, str, ColumnElement[str] | None, ColumnElement[str]], ...]]] = {
    "team": (("key", "key", _TEAM, _ENTITY), ("model", "model", _TEAM, _ENTITY)),
    "key": (("model", "key/model", _ENTITY, _PART),),
    "user": (("model", "user/model", _ENTITY, _PART), ("key", "user/key", _ENTITY, _PART)),
    "model": (
        ("team", "model", _ENTITY, _TEAM),
        ("key", "key/model", _PART, _ENTITY),
        ("user", "user/model", _PART, _ENTITY),
    ),
    "proxy": (("team", "team", None, _ENTITY), ("model", "model", None, _ENTITY)),
    **{
        dimension: (("team", dimension, _ENTITY, _TEAM),)
        for dimension in ("tag", "customer", "organization", "provider", "deployment")
    },
}
#: How many entities one question names.
_CHUNK: Final = 500
#: How many of them are told.
_TOP: Final = 3


class UserTotalStatements(AliasStatements):
    """Users' days and months, out of the ledger."""

    def users_of(self, day: date, *, before_days: int, least_nanos: int) -> Sequence[UserSpend]:
        """Give the users who spent something that day, and at least so much in it or in its month until then."""
        month, before = day.replace(day=1), day - timedelta(days=before_days)
        spent = SPEND.c.spend_nanos
        that_day = func.sum(case((SPEND.c.day == day, spent), else_=0))
        that_month = func.sum(case((SPEND.c.day >= month, spent), else_=0))
        days_before = func.sum(case(((SPEND.c.day >= before) & (SPEND.c.day < day), spent), else_=0))
        statement = (
            select(SPEND.c.entity, that_day, that_month, days_before)
            .where(SPEND.c.dimension == "user", SPEND.c.day.between(min(month, before), day), SPEND.c.entity != OTHER)
            .group_by(SPEND.c.entity)
            .having(that_day > 0, or_(that_day >= least_nanos, that_month >= least_nanos))
            .order_by(SPEND.c.entity)
        )
        rows = self.connection.execute(statement).all()
        names = self.newest_names(("user", row[0]) for row in rows)
        return [
            UserSpend(row[0], names.get(("user", row[0]), ""), int(row[1]), int(row[2]), int(row[3])) for row in rows
        ]

    def spent_in(self, dimension: str, entities: Iterable[str], first: date, last: date) -> dict[str, int]:
        """Give what each entity spent over all teams in these days, in nano-dollars; those without are not in it."""
        wanted, spent = sorted(set(entities)), dict[str, int]()
        for start in range(0, len(wanted), _CHUNK):
            rows = Rows(dimension, entities=wanted[start : start + _CHUNK]).over(Days(first, last))
            statement = select(rows.c.entity, func.sum(rows.c.spend_nanos)).group_by(rows.c.entity)
            spent |= {entity: int(nanos) for entity, nanos in self.connection.execute(statement)}
        return spent

    def behind(
        self, dimension: str, entities: Sequence[str], first: date, last: date
    ) -> dict[str, list[tuple[str, int]]]:
        """Give the three teams, keys, users and models that spent most of it, as far as such sums are kept."""
        found: dict[str, list[tuple[str, int]]] = {}
        for named, place, whole, half in _BEHIND.get(dimension, ()):
            total = func.sum(SPEND.c.spend_nanos)
            where = [SPEND.c.dimension == place, SPEND.c.day.between(first, last)]
            if whole is not None:
                where.append(
                    whole.in_([shorten_id(entity, MAX_PART) for entity in entities] if whole is _PART else entities)
                )
            statement = (
                select(half, total)
                .where(*where)
                .group_by(half)
                .having(total > 0)
                .order_by(total.desc(), half)
                .limit(4 * _TOP)
            )
            rows = self.connection.execute(statement).all()
            names = self.newest_names((named, row[0]) for row in rows)
            spent = Counter[str]()  # a rotated key has several hashes and one name
            for entity, nanos in rows:
                spent[names.get((named, entity), entity or NO_TEAM)] += int(nanos)
            found[named] = sorted(spent.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]
        return found
