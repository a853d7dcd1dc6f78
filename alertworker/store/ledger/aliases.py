"""The names that entities were seen under, each with the first and the last time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, delete, func, select
from typing_extensions import override

from alertworker.ledger.rows import TITLES, AliasKey, AliasSpan
from alertworker.ports import AliasPort
from alertworker.store.additions import look_up, parameters
from alertworker.store.rows import Rows
from alertworker.store.schema.ledger import ALIASES
from alertworker.store.upsert import Statements, insert_or

#: How outdated the end of a name's span may be. Every batch brings the same names, and this keeps most from being
#: written.
_STALE: Final = timedelta(days=1)
#: How many names of an entity are kept, the newest ones. A caller of a wildcard deployment may invent a name for each
#: call, and every batch with an entity reads its names.
MAX_NAMES: Final = 20
#: How many names that are too many one transaction deletes.
_DELETED: Final = 5_000
#: How many entities one statement names.
_CHUNK: Final = 500
_DELETE: Final = delete(ALIASES).where(*(ALIASES.c[name] == bindparam(f"own_{name}") for name in AliasKey._fields))
#: A dimension and an entity of it.
Entity = tuple[str, str]


class AliasStatements(Statements, AliasPort):
    """Names of entities in SQL."""

    @override
    def newest_names(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        return {key[:2]: key.alias for key in self._by_age(entities)}

    @override
    def deployment_titles(self, deployments: Collection[str]) -> dict[str, str]:
        titles = {key.entity: key.alias for key in self._by_age(("deployment", one) for one in deployments)}
        for key in self._by_age((TITLES, one) for one in deployments):
            # Some producers report the region with only some of the events.
            if not titles.get(key.entity, "").startswith(f"{key.alias} in "):
                titles[key.entity] = key.alias
        return titles

    @override
    def ids_by_alias(self, dimension: str, names: Iterable[str]) -> dict[str, list[str]]:
        wanted, found = sorted(set(names)), set[str]()
        for start in range(0, len(wanted), _CHUNK):
            named = ALIASES.c.alias.in_(wanted[start : start + _CHUNK])
            statement = select(ALIASES.c.entity).where(ALIASES.c.dimension == dimension, named)
            found.update(self.connection.execute(statement).scalars())
        ids: dict[str, list[str]] = {name: [] for name in wanted}
        for (_, entity), name in sorted(self.newest_names((dimension, entity) for entity in found).items()):
            if name in ids:
                ids[name].append(entity)
        return ids

    def keep_names(self, aliases: Mapping[AliasKey, AliasSpan]) -> None:
        """Store the names that entities were seen under, at most `MAX_NAMES` of each. Write only what changed."""
        known = self._names(key[:2] for key in aliases)
        newest = {key[:2]: span for key, span in sorted(known.items(), key=_age)}
        news = {key: span for key, span in aliases.items() if _is_news(span, known.get(key), newest.get(key[:2]))}
        extra = _too_many(known, news)
        if old := sorted(extra & known.keys())[:_DELETED]:
            self.connection.execute(
                _DELETE, [{f"own_{name}": value for name, value in key._asdict().items()} for key in old]
            )
        news = {key: span for key, span in news.items() if key not in extra}
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

    def _by_age(self, entities: Iterable[Entity]) -> list[AliasKey]:
        """Return the names of entities from the oldest to the current ones."""
        return [key for key, _ in sorted(self._names(entities).items(), key=_age)]

    def _names(self, entities: Iterable[Entity]) -> dict[AliasKey, AliasSpan]:
        known: dict[AliasKey, AliasSpan] = {}
        wanted = Rows(("dimension", "entity"), sorted(set(entities)))
        if not wanted.values:
            return known
        statement = look_up(ALIASES, wanted.names, self.connection.dialect.name)
        for row in self.connection.execute(statement, parameters(wanted)):
            known[AliasKey(row.dimension, row.entity, row.alias)] = AliasSpan(row.first_at, row.last_at)
        return known


def _too_many(known: Mapping[AliasKey, AliasSpan], news: Mapping[AliasKey, AliasSpan]) -> set[AliasKey]:
    """Return the names of entities that have more than `MAX_NAMES`, without the newest ones of each."""
    names: dict[Entity, dict[AliasKey, AliasSpan]] = {}
    for key, span in (*known.items(), *news.items()):
        own = names.setdefault(key[:2], {})
        before = own.get(key, span)
        own[key] = max(before, span, key=lambda one: one.last_at)
    oldest_first = (sorted(own.items(), key=_age) for own in names.values() if len(own) > MAX_NAMES)
    return {key for own in oldest_first for key, _ in own[:-MAX_NAMES]}


def _age(named: tuple[AliasKey, AliasSpan]) -> tuple[object, ...]:
    """Return the key that sorts names from the oldest to the current one."""
    key, span = named
    return span.last_at, span.first_at, key.alias


def _is_news(seen: AliasSpan, known: AliasSpan | None, newest: AliasSpan | None) -> bool:
    """Return whether a name is new, is the current one again, or has an outdated span."""
    if known is None or newest is None:
        return True
    renamed = newest.last_at > known.last_at and seen.last_at > newest.last_at
    return renamed or seen.last_at - known.last_at > _STALE or known.first_at - seen.first_at > _STALE
