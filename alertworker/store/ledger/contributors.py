"""The contributors to an entity's spend, such as the keys and models of a team, the most expensive first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from sqlalchemy import Connection, Select, bindparam, select

from alertworker.ledger.reader import Days, SpendRow
from alertworker.ledger.rows import MAX_PART, SpendSums
from alertworker.store.ledger.aliases import AliasStatements
from alertworker.store.ledger.months import LedgerRows, read_sums, summed
from alertworker.store.schema.base import NAME
from alertworker.text.shorten import shorten_id

#: How many queries a process caches.
_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class _Source:
    """Where contributors of a ``dimension`` are found: in one ``column`` of the ledger's ``rows``.

    ``rows`` is a dimension. ``of`` is the column of the entity to which they contribute, ``None`` for the whole proxy.
    """

    dimension: str
    rows: str
    of: Literal["team_id", "entity", "part"] | None
    column: Literal["team_id", "entity", "part"]


_SOURCES: Final[Mapping[str, tuple[_Source, ...]]] = {
    "team": (_Source("key", "key", "team_id", "entity"), _Source("model", "model", "team_id", "entity")),
    "key": (_Source("model", "key/model", "entity", "part"),),
    "user": (_Source("model", "user/model", "entity", "part"), _Source("key", "user/key", "entity", "part")),
    "model": (
        _Source("team", "model", "entity", "team_id"),
        _Source("key", "key/model", "part", "entity"),
        _Source("user", "user/model", "part", "entity"),
    ),
    "proxy": (_Source("team", "team", None, "entity"), _Source("model", "model", None, "entity")),
    **{
        dimension: (_Source("team", dimension, "entity", "team_id"),)
        for dimension in ("tag", "customer", "organization", "provider", "deployment")
    },
}


def contributors(
    connection: Connection, dimension: str, entities: Sequence[str], days: Days, *, limit: int
) -> dict[str, list[SpendRow]]:
    """Return the top contributors to these entities' spend, by dimension, at most ``limit`` each.

    ``dimension`` is one of the ledger's, or "proxy". Several ``entities`` count as one: a rotated key has several
    hashes. A dimension without contributors is left out.
    """
    found = {
        source.dimension: _ranked(connection, source, entities, days, limit=limit)
        for source in _SOURCES.get(dimension, ())
    }
    return {name: rows for name, rows in found.items() if rows}


@lru_cache(maxsize=_KEPT)
def _ranking(source: _Source, days: Days, limit: int) -> Select[str, *tuple[int, ...]]:
    """Return the query of a source, from a cache: the alerts of a batch are about many entities and few periods."""
    wanted = bindparam("wanted", type_=NAME, expanding=True)
    rows = LedgerRows(source.rows, {source.of: wanted} if source.of else {}).over(days)
    column, sums = rows.c[source.column], summed(rows)
    return select(column, *sums).group_by(column).order_by(sums[-1].desc(), column).limit(limit)


def _ranked(
    connection: Connection, source: _Source, entities: Iterable[str], days: Days, *, limit: int
) -> list[SpendRow]:
    # A part is stored shortened, because PostgreSQL cannot index a longer key.
    wanted = [shorten_id(entity, MAX_PART) if source.of == "part" else entity for entity in entities]
    statement = _ranking(source, days, limit)
    found = {row[0]: read_sums(row[1:]) for row in connection.execute(statement, {"wanted": wanted})}
    names = AliasStatements(connection).newest_names((source.dimension, entity) for entity in found)
    return [
        SpendRow(entity, "", names.get((source.dimension, entity), ""), spent, SpendSums())
        for entity, spent in found.items()
    ]
