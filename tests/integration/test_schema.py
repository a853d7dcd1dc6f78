"""The migrations and the tables of the code say the same, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from alertworker.store import SqlStore
from alertworker.store.schema import METADATA


def test_the_migrations_make_the_tables_that_the_code_has(store: SqlStore) -> None:
    """Who changes a table writes a migration: what is missing is named. Keys are compared, too; alembic does not."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        made = inspect(connection)
        keys = {name: made.get_pk_constraint(name)["constrained_columns"] for name in METADATA.tables}
    assert keys == {name: [column.name for column in table.primary_key] for name, table in METADATA.tables.items()}
