"""The migrations and the tables of the code are equal, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Index, String, inspect, text
from sqlalchemy.schema import CreateIndex

from alertworker.store import SqlStore, make_engine
from alertworker.store.migrations import _scripts, upgrade
from alertworker.store.schema import METADATA
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.inhibitions import LabelValue

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


# Neither SQLAlchemy nor Alembic reads such indexes from SQLite; the test below compares their SQL.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_migrations_make_the_tables_that_the_code_has(store: SqlStore) -> None:
    """A changed table needs a migration; the test names what is missing.

    It also compares keys, which Alembic does not.
    """
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        made = inspect(connection)
        keys = {name: made.get_pk_constraint(name)["constrained_columns"] for name in METADATA.tables}
    assert keys == {name: [column.name for column in table.primary_key] for name, table in METADATA.tables.items()}


def test_indexes_of_labels_are_those_of_the_code(store: SqlStore) -> None:
    """SQLite uses an index only for exactly the same expression."""
    if store.engine.dialect.name != "sqlite":
        return  # alembic has compared them
    expected = {str(index.name): _ddl(index, store.engine) for index in ALERTS.indexes if _has_labels(index)}
    with store.engine.connect() as connection:
        statement = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%json_extract%'")
        made = {row.name: " ".join(row.sql.split()) for row in connection.execute(statement)}

    assert made == expected


def test_a_database_with_rows_is_upgraded_and_the_version_before_goes_on_with_it(store: SqlStore) -> None:
    """Rows stay. The new indexes also find what an old worker writes afterwards."""
    engine = make_engine(store.engine.url.render_as_string(hide_password=False))
    _migrate(engine, "downgrade", "0001")
    with engine.begin() as connection:
        connection.execute(ALERTS.insert(), [_row("before"), _row("closed", open_fingerprint=None)])
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(ALERTS.insert(), _row("after"))
        wanted = ALERTS.c.open_fingerprint.is_not(None) & (LabelValue(ALERTS.c.labels, "team") == "search")
        found = connection.execute(ALERTS.select().where(ALERTS.c.type == "outage_alerts", wanted)).all()
        assert sorted(row.id for row in found) == ["after", "before"]
        assert connection.execute(ALERTS.delete()).rowcount == 3
    _migrate(engine, "downgrade", "0001")
    engine.dispose()


def _row(name: str, **other: Any) -> dict[str, Any]:
    """Return an alert's row as the first version wrote it."""
    moments = dict.fromkeys(("first_at", "last_at", "opened_at"), NOW)
    counts = {"level": 1, "count": 1, "notified_count": 0, "summaries": 0}
    words = {"type": "outage_alerts", "kind": "condition", "severity": "High", "headline": "h"}
    mappings = {"labels": {"team": "search"}, "facts": {}, "metadata": {}}
    due = {"next_summary_at": NOW + timedelta(minutes=5)}
    own = {"id": name, "fingerprint": name, "open_fingerprint": name}
    return {**own, **words, **mappings, **counts, **moments, **due, **other}


def _migrate(engine: Engine, way: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        getattr(command, way)(config, revision)


def _has_labels(index: Index) -> bool:
    return any(isinstance(expression, LabelValue) for expression in index.expressions)


def _ddl(index: Index, engine: Engine) -> str:
    return " ".join(str(CreateIndex(index).compile(engine)).split())


#: The maximum number of bytes of a name in a key, if it is less than 4 for each character: those of ids and names that
#: events shorten (`alertworker/events/base.py`), of hashes, and of words of ours.
_BYTES = {"deployment_id": 512, "provider": 256, "region": 256, "part": 480, "credential": 12, "dimension": 12}


def test_every_key_fits_into_an_index_of_postgresql() -> None:
    """It refuses a larger one with an error that no rerun avoids, and the whole batch would be lost by one event."""
    for table in METADATA.sorted_tables:
        for columns in ([*table.primary_key], *([*index.columns] for index in table.indexes)):
            sizes = [
                _BYTES.get(column.name, 4 * (column.type.length or 10_000)) if isinstance(column.type, String) else 8
                for column in columns
            ]
            assert 8 + sum(size + 4 for size in sizes) <= 2_704, (table.name, [column.name for column in columns])
