"""SQLite's files are in use by several processes. Nothing but SQLite may open them, because it would end its locks."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertworker.errors import StoreUnavailable
from alertworker.store import SqlStore, make_engine
from alertworker.store.migrations import upgrade
from alertworker.store.write_check import check_writes

#: Another process reads, and is the last one to close the database, as far as it knows.
READER = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute(sys.argv[2]).fetchall()); c.close()"


def read_elsewhere(path: Path, statement: str) -> str:
    """Return a statement's rows as another process reads them."""
    command = [sys.executable, "-c", READER, str(path), statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_write_check_keeps_the_locks_of_its_process(tmp_path: Path) -> None:
    """Closing any file ends all locks that the process has on it (POSIX), so others would delete the log in use."""
    path = tmp_path / "a.db"
    store = SqlStore(make_engine(f"sqlite:///{path}"))
    upgrade(store.engine)
    at = datetime(2026, 12, 1, tzinfo=UTC)
    store.run(lambda tx: tx.clock.advance("before", at))

    check_writes(store.engine)
    read_elsewhere(path, "SELECT count(*) FROM line")
    store.run(lambda tx: tx.clock.advance("after", at))

    assert read_elsewhere(path, "SELECT name FROM line ORDER BY name") == "[('after',), ('before',)]"


AT = datetime(2026, 12, 1, tzinfo=UTC)


def opened(path: Path) -> SqlStore:
    """Return a new database in use: one row is written."""
    store = SqlStore(make_engine(f"sqlite:///{path}"))
    upgrade(store.engine)
    store.run(lambda tx: tx.clock.advance("first", AT))
    return store


def names(store: SqlStore) -> list[str]:
    """Return the rows."""
    with store.engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT name FROM line ORDER BY name").scalars())


def test_work_waits_while_the_database_is_removed(tmp_path: Path) -> None:
    """SQLite would go on with the removed file, and a new connection would make an empty one."""
    path = tmp_path / "a.db"
    store = opened(path)
    path.rename(tmp_path / "away.db")

    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="was removed in use; put it back"):
            store.run(lambda tx: tx.clock.advance("second", AT))
    with pytest.raises(StoreUnavailable, match="was removed in use; put it back"):
        store.check_writes()
    store.engine.dispose()  # as a pool without a connection
    with pytest.raises(StoreUnavailable, match="was removed in use; put it back"):
        store.read(lambda tx: tx.clock.read("first"))
    assert not path.exists()

    (tmp_path / "away.db").rename(path)
    store.run(lambda tx: tx.clock.advance("third", AT))
    assert names(store) == ["first", "third"]


def test_work_waits_for_a_restart_if_the_database_is_replaced(tmp_path: Path) -> None:
    """The new file must not be opened: SQLite would write the old one's log into it."""
    path = tmp_path / "a.db"
    store = opened(path)
    backup = opened(tmp_path / "b.db")
    backup.run(lambda tx: tx.clock.advance("backup", AT))
    backup.engine.dispose()
    (tmp_path / "b.db").rename(path)

    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"was replaced in use; stop every process, remove .*a\.db-wal"):
            store.run(lambda tx: tx.clock.advance("second", AT))
        store.engine.dispose()

    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    assert names(SqlStore(make_engine(f"sqlite:///{path}"))) == ["backup", "first"]


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_work_waits_for_a_restart_if_the_log_is_removed(tmp_path: Path, suffix: str) -> None:
    """Other processes would use another log. The last process that ends saves what is in this one."""
    path = tmp_path / "a.db"
    store = opened(path)
    Path(f"{path}{suffix}").unlink()

    with pytest.raises(StoreUnavailable, match=rf"a\.db{suffix} was removed or replaced in use; stop every process"):
        store.run(lambda tx: tx.clock.advance("second", AT))
    store.engine.dispose()
    assert names(SqlStore(make_engine(f"sqlite:///{path}"))) == ["first"]


def test_two_engines_of_one_process_share_a_database(tmp_path: Path) -> None:
    """A connection that is closed leaves the log of the others in place."""
    path = tmp_path / "a.db"
    store = opened(path)
    other = SqlStore(make_engine(f"sqlite:///{path}"))
    other.run(lambda tx: tx.clock.advance("second", AT))
    other.engine.dispose()
    store.run(lambda tx: tx.clock.advance("third", AT))
    assert names(store) == ["first", "second", "third"]
