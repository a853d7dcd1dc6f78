"""Whether SQLite's files are still those that an engine and its connections have open.

SQLite goes on with a file that was removed or replaced, so what it then commits is lost without an error. A file is
known by device and inode. It is never opened here: closing it would end all locks that the process has on it (POSIX).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from alertworker.errors import StoreUnavailable

#: What SQLite adds to the name of the database for its log and for the index of the log.
_LOGS: Final = ("-wal", "-shm")
#: The key of a connection's opened logs in its `Connection.info`.
_OPENED: Final = "alertworker_opened_logs"


class SqliteFiles:
    """The files of one engine: its database, and the logs that each of its connections has opened.

    All are checked when a transaction begins. After a database was replaced, no connection is made to the new file:
    SQLite would write the old one's log into it.
    """

    def __init__(self, engine: Engine) -> None:
        #: The path and identity of the database, since the first connection.
        self._database: Mapping[str, tuple[int, int] | None] = {}
        event.listen(engine, "do_connect", self._before_connect)
        event.listen(engine, "connect", self._note)
        event.listen(engine, "begin", self._check)

    def _before_connect(self, *_: object) -> None:
        """Check the database. SQLite would make an empty one in place of a missing one."""
        for path, identity in self._database.items():
            if (found := _identity(path)) != identity:
                raise StoreUnavailable(_replaced(path) if found else _removed(path))

    def _note(self, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        """Note the files of a new connection. Reading the schema opens all of them."""
        connection.execute("SELECT count(*) FROM sqlite_master").close()
        path = str(connection.execute("PRAGMA database_list").fetchone()[2])
        if path:  # empty in memory
            self._database = self._database or {path: _identity(path)}
            record.info[_OPENED] = {path + suffix: _identity(path + suffix) for suffix in _LOGS}

    def _check(self, connection: Connection) -> None:
        """Check the files of a connection.

        Raises:
            StoreUnavailable: the database was removed or replaced, or its log was.
        """
        self._before_connect()
        opened: Mapping[str, tuple[int, int] | None] = connection.info.get(_OPENED, {})
        for path, identity in opened.items():
            if identity is not None and _identity(path) != identity:
                raise StoreUnavailable(
                    f"{path} was removed or replaced in use; stop every process that uses the database, so that the "
                    "last one saves what it has, and start them again"
                )


def _removed(path: str) -> str:
    return (
        f"the database {path} was removed in use; put it back, or stop every process, run `alertworker db upgrade` to "
        "begin with an empty one, and start them again"
    )


def _replaced(path: str) -> str:
    return (
        f"the database {path} was replaced in use; stop every process, remove {path}-wal and {path}-shm, which are of "
        "the old file, and start them again"
    )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
