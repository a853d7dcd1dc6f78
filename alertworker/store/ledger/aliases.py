"""The names that entities were seen under, each with from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import delete, func, select, tuple_

from alertworker.ledger.rows import AliasKey, AliasSpan
from alertworker.store.schema.ledger import ALIASES
from alertworker.store.upsert import Statements, insert_or

#: How stale the end of an alias's span may be; so that a name which is seen all the time is not written all the time.
_STALE: Final = timedelta(days=1)
#: How many keys one look-up names.
_CHUNK: Final = 500
#: A dimension and an entity of it.
Entity = tuple[str, str]


class AliasStatements(Statements):
    """Names of teams, keys, users, organizations and deployments; the one seen last is the present one."""

    def newest_names(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Give the present names of entities, by dimension and id; those without one are not in it."""
        return {key[:2]: key.alias for key, _ in sorted(self._names(entities).items(), key=_age)}

    def bearers(self, dimension: str, names: Iterable[str]) -> dict[str, list[str]]:
        """Give the ids that have each of these as their present name: a rotated key's old and new hash."""
        wanted, found = sorted(set(names)), set[str]()
        for start in range(0, len(wanted), _CHUNK):
            named = ALIASES.c.alias.in_(wanted[start : start + _CHUNK])
            statement = select(ALIASES.c.entity).where(ALIASES.c.dimension == dimension, named)
            found.update(self.connection.execute(statement).scalars())
        bearers: dict[str, list[str]] = {name: [] for name in wanted}
        for (_, entity), name in sorted(self.newest_names((dimension, entity) for entity in found).items()):
            if name in bearers:
                bearers[name].append(entity)
        return bearers

    def keep_names(self, aliases: Mapping[AliasKey, AliasSpan]) -> None:
        """Keep the names entities were seen under; only what says something new is written."""
        known = self._names(key[:2] for key in aliases)
        newest = {key[:2]: span for key, span in sorted(known.items(), key=_age)}
        news = {key: span for key, span in aliases.items() if _is_news(span, known.get(key), newest.get(key[:2]))}
        if not news:
            return
        sqlite = self.connection.dialect.name == "sqlite"
        least, greatest = (func.min, func.max) if sqlite else (func.least, func.greatest)
        statement = insert_or(self.connection, ALIASES)
        spans = {
            "first_at": least(ALIASES.c.first_at, statement.excluded.first_at),
            "last_at": greatest(ALIASES.c.last_at, statement.excluded.last_at),
        }
        upsert = statement.on_conflict_do_update(index_elements=list(ALIASES.primary_key), set_=spans)
        self.connection.execute(upsert, [key._asdict() | asdict(news[key]) for key in sorted(news)])

    def forget_names(self, *, before: date, limit: int) -> int:
        """Forget names that were not seen since before that day, at most ``limit``; gives how many."""
        key = list(ALIASES.primary_key)
        old = select(*key).where(ALIASES.c.last_at < datetime.combine(before, time(), UTC)).limit(limit)
        return self.connection.execute(delete(ALIASES).where(tuple_(*key).in_(old))).rowcount

    def _names(self, entities: Iterable[Entity]) -> dict[AliasKey, AliasSpan]:
        known: dict[AliasKey, AliasSpan] = {}
        wanted, columns = sorted(set(entities)), (ALIASES.c.dimension, ALIASES.c.entity)
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            for row in self.connection.execute(select(ALIASES).where(tuple_(*columns).in_(chunk))):
                known[AliasKey(row.dimension, row.entity, row.alias)] = AliasSpan(row.first_at, row.last_at)
        return known


def _age(named: tuple[AliasKey, AliasSpan]) -> tuple[object, ...]:
    """Order names from the oldest to the present one; reports order them alike."""
    key, span = named
    return span.last_at, span.first_at, key.alias


def _is_news(seen: AliasSpan, known: AliasSpan | None, newest: AliasSpan | None) -> bool:
    """Tell whether a name is new, has become the current one again, or its span is out of date by much."""
    if known is None or newest is None:
        return True
    renamed = newest.last_at > known.last_at and seen.last_at > newest.last_at
    return renamed or seen.last_at - known.last_at > _STALE or known.first_at - seen.first_at > _STALE
