"""The labels by which the sources of inhibitions are found. Queries and indexes spell a label in the same way."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Column, Index, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal

from alertworker.store.schema.alerts import ALERTS, OPEN

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class LabelValue(ColumnElement[str]):
    """A label's value; NULL if an alert lacks the label.

    The label's name is part of the SQL: with a parameter in its place no database would use an index.
    """

    inherit_cache = True
    type = String()
    #: The parts by which SQLAlchemy's cache compares two of these.
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement), ("name", InternalTraversal.dp_string)]  # noqa: RUF012

    def __init__(self, column: Column[object], label: str) -> None:
        if not is_indexable(label):
            raise ValueError("a label's name in SQL must be an identifier")
        self.column = column
        self.name = label


def is_indexable(label: str) -> bool:
    """Return whether a label's name may be part of SQL. All our own names may."""
    return _IDENTIFIER.fullmatch(label) is not None


@compiles(LabelValue, "sqlite")
def _sqlite(element: LabelValue, compiler: SQLCompiler, **options: object) -> str:
    return f"json_extract({compiler.process(element.column, **options)}, '$.{element.name}')"


@compiles(LabelValue, "postgresql")
def _postgresql(element: LabelValue, compiler: SQLCompiler, **options: object) -> str:
    return f"({compiler.process(element.column, **options)} ->> '{element.name}')"


#: The labels by which open conditions that inhibit an alert are looked up. For any other label the database reads all
#: open conditions of a type.
INDEXED_LABELS: Final = ("credential", "deployment", "key", "model", "organization", "region", "team", "user")
for _label in INDEXED_LABELS:
    Index(
        f"alerts_open_by_{_label}",
        ALERTS.c.type,
        LabelValue(ALERTS.c.labels, _label),
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
