"""The check whether the database can be written. Reading proves nothing: a standby and a full disk answer queries."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text

from alertworker.errors import StoreUnavailable
from alertworker.store.clock import SqlClock
from alertworker.store.connection import ConnectionRunner
from alertworker.store.engine import WAITS_BRIEFLY
from alertworker.store.schema import METADATA

#: How much must be writable beside SQLite's file, in bytes: the log of a transaction of a few alerts.
_ROOM: Final = 256 * 1024
#: The row that the check writes. It is rolled back, so the row never exists.
_ROW: Final = "write_check"
#: The lock that every write takes on its table, on all tables. A missing permission for one of them shows here, too.
_LOCK: Final = text(f"LOCK TABLE {', '.join(table.name for table in METADATA.sorted_tables)} IN ROW EXCLUSIVE MODE")
#: PostgreSQL looks for deadlocks after 1 s. The check gives up before, so a migration never has to give way to it.
_TIMEOUTS: Final = text("SELECT set_config('lock_timeout', '500ms', true), set_config('statement_timeout', '5s', true)")


def check_writes(engine: Engine) -> None:
    """Write one row and roll it back. Give up after a few seconds if another transaction holds a lock.

    Raises:
        StoreUnavailable: the database cannot be written.
    """
    _check_disk(engine)
    ConnectionRunner(engine.execution_options(**{WAITS_BRIEFLY: True})).on_connection(_write_and_undo)


def _write_and_undo(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(_TIMEOUTS)
        connection.execute(_LOCK)
    SqlClock(connection).advance(_ROW, datetime.now(UTC))
    connection.rollback()


def _check_disk(engine: Engine) -> None:
    """Write a file without a name beside SQLite's file, which takes no lock and is gone at once.

    SQLite writes a transaction to the disk only when it is committed. PostgreSQL's full disk shows only when a worker
    writes. SQLite's file itself is not opened: closing it would end all locks that this process has on it (POSIX).
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return
    try:
        with tempfile.TemporaryFile(dir=Path(path).parent) as probe:
            probe.write(bytes(_ROOM))
    except OSError as error:
        raise StoreUnavailable(
            f"the database cannot be written ({error.strerror}); check its disk and the rights to its folder"
        ) from error
