"""LiteLLM's own tables on a real PostgreSQL, made from its package's ``schema.prisma``, and its own upserts."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sqlalchemy import Connection

from tests.acceptance.proxy import litellm_python

_TYPES: Final = {
    "String": "text",
    "Int": "integer",
    "BigInt": "bigint",
    "Float": "double precision",
    "DateTime": "timestamp(3)",
    "Json": "jsonb",
    "Boolean": "boolean",
}


def make_tables(connection: Connection, *models: str) -> None:
    """Create tables as LiteLLM's migrations do: columns, defaults, keys and indexes."""
    schema = (_package() / "proxy" / "schema.prisma").read_text()
    for model in models:
        (body,) = re.findall(rf"^model {model} {{\n(.*?)^}}", schema, re.MULTILINE | re.DOTALL)
        columns = [column for line in body.splitlines() if (column := _column(line))]
        unique = [f"UNIQUE ({_quoted(names)})" for names in re.findall(r"@@unique\(\[(.*?)\]", body)]
        connection.exec_driver_sql(f'CREATE TABLE "{model}" ({", ".join([*columns, *unique])})')
        for names in re.findall(r"^\s*@@index\(\[(.*?)\]", body, re.MULTILINE):
            connection.exec_driver_sql(f'CREATE INDEX ON "{model}" ({_quoted(names)})')


@cache
def upserts() -> ModuleType:
    """Return LiteLLM's module that writes its daily tables. It needs no other part of LiteLLM."""
    path = _package() / "proxy" / "db" / "daily_spend_bulk_upsert.py"
    spec = importlib.util.spec_from_file_location("litellm_daily_spend_bulk_upsert", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add_daily(connection: Connection, entity: str, transactions: list[dict[str, Any]]) -> None:
    """Add calls to a daily table with LiteLLM's own statement."""
    module = upserts()
    table = module.DAILY_SPEND_TABLES[entity]
    sql, values = module.build_bulk_upsert(table, module.merge_by_conflict_key(table, transactions))
    connection.exec_driver_sql(re.sub(r"\$\d+", "%s", sql), values)


def _package() -> Path:
    (package,) = (litellm_python().parents[1] / "lib").glob("python3*/site-packages/litellm")
    return package


def _column(line: str) -> str | None:
    """Return the column of a model's line, or ``None`` if the line is not a column."""
    match = re.match(r"\s+(\w+)\s+(\w+)(\?|\[\])?(.*)", line.partition("//")[0])
    if match is None or match[2] not in _TYPES:
        return None
    name, column_type, suffix, rest = match.groups()
    column = f'"{name}" {_TYPES[column_type]}{"[]" if suffix == "[]" else ""}'
    if suffix is None:
        column += " NOT NULL"
    default = re.search(r"@default\s*\((\w+\(\)|.*?)\)", rest)
    if default is not None and default[1] != "uuid()":
        known = {"now()": "CURRENT_TIMESTAMP", "[]": "'{}'"}
        column += f" DEFAULT {known.get(default[1], default[1].replace(chr(34), chr(39)))}"
    return column + (" PRIMARY KEY" if "@id" in rest else "")


def _quoted(names: str) -> str:
    return ", ".join(f'"{name.strip()}"' for name in names.split(","))
