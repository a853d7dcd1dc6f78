"""The days of the ledger: adds a batch's rows, and counts the new ones, so that no statement counts those of a day."""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import cache
from operator import itemgetter
from typing import Final

from sqlalchemy import BigInteger, Boolean, Connection, Label, bindparam, func, literal_column, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.selectable import TypedReturnsRows

from alertworker.ledger.rows import SUMS, SpendKey
from alertworker.store.additions import addition, look_up, parameters
from alertworker.store.rows import Rows
from alertworker.store.schema.ledger import SPEND
from alertworker.store.sums import fitted_rows, most_of

#: A dimension and a day.
Place = tuple[str, date]
#: The columns of `SPEND` in the order of the rows, and those of its key.
_KEY: Final = SpendKey._fields
NAMES: Final = (*_KEY, *SUMS)


def add_days(connection: Connection, rows: Rows) -> Counter[Place]:
    """Add rows with the columns `NAMES` to `SPEND`. Return how many of them are new, by dimension and day."""
    if not rows.values:
        return Counter()
    rows = fitted_rows(SPEND, rows)
    if connection.dialect.name == "sqlite":
        return _add_on_sqlite(connection, rows)
    return Counter({(dimension, day): new for dimension, day, new in connection.execute(_upsert(), parameters(rows))})


@cache
def _upsert() -> TypedReturnsRows[str, date, int]:
    """Return PostgreSQL's statement. The new version of a row that it updates has an ``xmax``: the row was locked."""
    created: Label[bool] = literal_column("xmax = 0", Boolean).label("created")
    added = addition(SPEND, NAMES, "postgresql").returning(SPEND.c.dimension, SPEND.c.day, created).cte("added")
    place = (added.c.dimension, added.c.day)
    return select(*place, func.count()).where(added.c.created).group_by(*place)


def _add_on_sqlite(connection: Connection, rows: Rows) -> Counter[Place]:
    """Update existing rows one by one, and insert the others. An upsert that returns its rows takes twice the time.

    No other transaction inserts between the statements, because a writing transaction holds SQLite's write lock from
    its start.
    """
    days = {row[0]: str(row[0]) for row in rows.values}
    keys = len(_KEY)
    changes = [(*row[keys:], days[row[0]], *row[1:keys]) for row in rows.values]
    if connection.exec_driver_sql(_update(), changes).rowcount == len(changes):
        return Counter()
    wanted = parameters(Rows(_KEY, [row[:keys] for row in rows.values]))
    known = set(map(itemgetter(*_KEY), connection.execute(look_up(SPEND, _KEY, "sqlite"), wanted).mappings()))
    created = [row for row in rows.values if row[:keys] not in known]
    connection.execute(addition(SPEND, NAMES, "sqlite"), parameters(Rows(NAMES, created)))
    return Counter((str(row[1]), row[0]) for row in created if isinstance(row[0], date))


@cache
def _update() -> str:
    """Return SQLite's statement as text: SQLAlchemy takes longer to bind the values of a row than to add it.

    Its parameters are the sums and then the key. A row with more than the largest sum stays as it is.
    """
    largest = {name: literal_column(str(most_of(SPEND.c[name])), BigInteger) for name in SUMS}
    sums = {name: func.max(SPEND.c[name], func.min(SPEND.c[name] + bindparam(name), largest[name])) for name in SUMS}
    key = (SPEND.c[name] == bindparam(f"own_{name}") for name in _KEY)
    statement = update(SPEND).where(*key).ordered_values(*((SPEND.c[name], sums[name]) for name in SUMS))
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))
