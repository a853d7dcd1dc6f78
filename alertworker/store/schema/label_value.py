"""The value of one label of an alert in SQL, written alike in queries and in the indexes that serve them."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Column, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class LabelValue(ColumnElement[str]):
    """A label's value, NULL where an alert lacks the label.

    The label's name stands in the SQL: with a parameter in its place no database would use an index.
    """

    inherit_cache = True
    type = String()
    #: What makes two of them the same statement to SQLAlchemy's cache.
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement), ("name", InternalTraversal.dp_string)]  # noqa: RUF012

    def __init__(self, column: Column[Any], label: str) -> None:
        if not is_indexable(label):
            raise ValueError("a label's name in SQL must be an identifier")
        self.column = column
        self.name = label


def is_indexable(label: str) -> bool:
    """Return whether a label's name can stand in SQL; all names of ours can."""
    return _IDENTIFIER.fullmatch(label) is not None


@compiles(LabelValue, "sqlite")
def _sqlite(element: LabelValue, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.column, **options)}, '$.{element.name}')"


@compiles(LabelValue, "postgresql")
def _postgresql(element: LabelValue, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.column, **options)} ->> '{element.name}')"
