"""The ledger's writing side: what a batch adds up to, in upserts of sorted keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ARRAY, Select, column, delete, func, literal, select, true, tuple_

from alertworker.capping import capped
from alertworker.folding import Fold
from alertworker.ledger import DIMENSIONS, SUMS, AliasKey, AliasSpan, Ledger, SpendKey, SpendSums
from alertworker.store.ledger_tables import ALIASES, FALLBACKS, LATENCIES, OUTCOMES, SPEND, SPEND_SIZES
from alertworker.store.statements import Statements, insert_or
from alertworker.store.window_tables import CAUSES, WINDOWS

#: The dimension without a cap: operators make teams, and totals are its sums.
_UNCAPPED: Final = "team"
_COLUMNS: Final = (*SpendKey._fields, *SUMS)
#: How stale the end of an alias's span may be; so that a name which is seen all the time is not written all the time.
_STALE: Final = timedelta(days=1)
#: How many rows of a table are forgotten in one transaction.
_PIECE: Final = 5_000
#: How many keys one look-up names.
_CHUNK: Final = 500


class LedgerStatements(Statements):
    """What a batch adds to the books. Tables in the order written here, keys sorted."""

    def add_fold(self, fold: Fold, *, max_entities: int) -> dict[SpendKey, SpendSums]:
        """Add a batch's sums to the ledger and the windows; gives the ledger's rows as they then stand."""
        booked = self.add_ledger(fold.ledger, max_entities=max_entities)
        self._add(WINDOWS, _rows(fold.windows), latest="last_success")
        self._add(CAUSES, _rows(fold.causes), latest="last_failure")
        return booked

    def add_ledger(self, ledger: Ledger, *, max_entities: int) -> dict[SpendKey, SpendSums]:
        """Add sums to the ledger; gives its rows as they then stand."""
        spend = self._within(ledger.spend(), max_entities)
        booked = self._book(spend)
        self._grow(key for key in spend if booked[key].requests == spend[key].requests)
        self._add(OUTCOMES, _rows(ledger.outcomes))
        self._add(LATENCIES, _rows(ledger.latencies))
        self._add(FALLBACKS, _rows(ledger.fallbacks))
        self._name(ledger.aliases)
        return booked

    def prune_ledger(self, *, before: date) -> bool:
        """Forget a piece of what is from before that day; true where that may not have been all."""
        counts = []
        for table in (SPEND, SPEND_SIZES, OUTCOMES, LATENCIES, FALLBACKS):
            key = list(table.primary_key)
            old = select(*key).where(table.c.day < before)
            if "dimension" in table.c:  # the key begins with it
                old = old.where(table.c.dimension.in_(DIMENSIONS))
            piece = delete(table).where(tuple_(*key).in_(old.limit(_PIECE)))
            counts.append(self.connection.execute(piece).rowcount)
        return _PIECE in counts

    def _within(self, spend: Mapping[SpendKey, SpendSums], most: int) -> dict[SpendKey, SpendSums]:
        """Keep days of a dimension within the cap.

        Batches that are applied at the same moment do not see each other's rows, so a day may grow past the cap by as
        many; sums are exact all the same.
        """
        asked = Counter((key.day, key.dimension) for key in spend if key.dimension != _UNCAPPED)
        sizes = dict.fromkeys(asked, 0)
        places = select(SPEND_SIZES).where(SPEND_SIZES.c.day.in_({day for day, _ in asked}))
        for row in self.connection.execute(places):
            if (row.day, row.dimension) in sizes:
                sizes[row.day, row.dimension] = row.rows
        room = {place: most - size for place, size in sizes.items() if size + asked[place] > most}
        if not room:
            return dict(spend)
        known = self._known([key for key in spend if (key.day, key.dimension) in room])
        return capped(spend, known=known, room=room)

    def _known(self, keys: Sequence[SpendKey]) -> Iterable[SpendKey]:
        columns = [SPEND.c[name] for name in SpendKey._fields]
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            for row in self.connection.execute(select(*columns).where(tuple_(*columns).in_(chunk))):
                yield SpendKey(*row)

    def _book(self, spend: Mapping[SpendKey, SpendSums]) -> dict[SpendKey, SpendSums]:
        if not spend:
            return {}
        statement = insert_or(self.connection, SPEND).from_select(_COLUMNS, self._source(_rows(spend)))
        sums = {name: SPEND.c[name] + statement.excluded[name] for name in SUMS}
        upsert = statement.on_conflict_do_update(index_elements=list(SPEND.primary_key), set_=sums)
        width = len(SpendKey._fields)
        rows = self.connection.execute(upsert.returning(*(SPEND.c[name] for name in _COLUMNS)))
        return {SpendKey(*row[:width]): SpendSums(*row[width:]) for row in rows}

    def _source(self, rows: Sequence[Mapping[str, Any]]) -> Select[Any]:
        """Give rows as a query of an array a column, or of one JSON text: a parameter a value costs four times it."""
        if self.connection.dialect.name == "sqlite":
            table = func.json_each(json.dumps([list(row.values()) for row in rows], default=str)).table_valued("value")
            values = (func.json_extract(table.c.value, f"$[{index}]") for index in range(len(_COLUMNS)))
            return select(*values).where(true())  # without WHERE, SQLite takes ON CONFLICT for a join's condition
        arrays = (literal([row[name] for row in rows], ARRAY(SPEND.c[name].type)) for name in _COLUMNS)
        columns = (column(name, SPEND.c[name].type) for name in _COLUMNS)
        return select(func.unnest(*arrays).table_valued(*columns).render_derived())

    def _grow(self, created: Iterable[SpendKey]) -> None:
        """Count rows that are new: those that hold no more requests than were just added."""
        grown = Counter((key.dimension, key.day) for key in created if key.dimension != _UNCAPPED)
        self._add(SPEND_SIZES, [{"dimension": d, "day": day, "rows": grown[d, day]} for d, day in sorted(grown)])

    def _name(self, aliases: Mapping[AliasKey, AliasSpan]) -> None:
        """Keep the names entities were seen under; only what says something new is written."""
        known = self._names(sorted({key[:2] for key in aliases}))
        newest: dict[tuple[str, str], AliasSpan] = {}
        for key, span in known.items():
            last = newest.setdefault(key[:2], span)
            if last.last_at < span.last_at:
                newest[key[:2]] = span
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
        self.connection.execute(upsert, _rows(news))

    def _names(self, entities: Sequence[tuple[str, str]]) -> dict[AliasKey, AliasSpan]:
        known: dict[AliasKey, AliasSpan] = {}
        columns = (ALIASES.c.dimension, ALIASES.c.entity)
        for start in range(0, len(entities), _CHUNK):
            chunk = entities[start : start + _CHUNK]
            for row in self.connection.execute(select(ALIASES).where(tuple_(*columns).in_(chunk))):
                known[AliasKey(row.dimension, row.entity, row.alias)] = AliasSpan(row.first_at, row.last_at)
        return known


def _is_news(seen: AliasSpan, known: AliasSpan | None, newest: AliasSpan | None) -> bool:
    """Tell whether a name is new, has become the current one again, or its span is out of date by much."""
    if known is None or newest is None:
        return True
    renamed = newest.last_at > known.last_at and seen.last_at > newest.last_at
    return renamed or seen.last_at - known.last_at > _STALE or known.first_at - seen.first_at > _STALE


def _rows(sums: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Give the rows of named keys and their sums, in the order of the keys."""
    return [key._asdict() | asdict(sums[key]) for key in sorted(sums)]
