"""Upgrades a database to the newest schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from alertworker.errors import StoreUnavailable
from alertworker.store.engine import classify, explain


def upgrade(engine: Engine) -> None:
    """Run every migration that this database does not have.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    with _connected(engine) as connection:
        if connection.dialect.name == "postgresql":  # building the index of a large table may take long
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    """Open a transaction. A database that is unavailable is reported without a traceback and without its address."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if classify(error) == "unavailable":
            raise StoreUnavailable(explain(error)) from error
        raise


def has_schema(engine: Engine) -> bool:
    """Return whether the database has a schema."""
    return inspect(engine).has_table("alembic_version")


def _scripts() -> Path:
    """Return the folder of the migrations: inside the package if it was installed from a wheel, beside it in a
    checkout.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
