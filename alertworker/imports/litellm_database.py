"""LiteLLM's database: a PostgreSQL that is only read, and that may be another one than the user thinks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from alertworker.errors import AlertWorkerError
from alertworker.host.addresses import DATABASE_SCHEMES, address_problem
from alertworker.store import make_engine

_SCHEMES: Final = tuple(scheme for scheme in DATABASE_SCHEMES if scheme.startswith("postgres"))
#: SQLSTATEs of what is missing or forbidden, each with the remedy.
_PROBLEMS: Final = {
    "42P01": "has none of LiteLLM's tables where they were looked for; check the name of the database, and pass the "
    "schema as ?schema=NAME if it is not public",
    "42703": "has tables of a version of LiteLLM that this version cannot read",
    "42501": "does not let this user read LiteLLM's tables; grant SELECT on them",
    "3F000": "does not have this schema; check ?schema=NAME",
}


def open_database(address: str) -> Engine:
    """Return an engine for LiteLLM's database.

    Raises:
        AlertWorkerError: the address cannot be used.
    """
    if (problem := address_problem(address, _SCHEMES)) is not None:
        raise AlertWorkerError(f"the URL of LiteLLM's database: {problem}")
    return make_engine(address.strip())


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection for reading.

    Raises:
        AlertWorkerError: the database is unavailable, or lacks what is read.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        problem = _PROBLEMS.get(getattr(error.orig, "sqlstate", None) or "")
        text = problem or f"is unavailable ({type(error.orig).__name__}); check its URL"
        raise AlertWorkerError(f"LiteLLM's database {text}") from None
