"""The database answers queries but cannot be written: beat sends its alert, and readiness agrees."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from alertworker.alerts.message import Step
from alertworker.errors import StoreUnavailable
from alertworker.pipeline import Runtime, StoreWatchdog
from alertworker.store import HealthStore, SqlStore
from alertworker.store.outage_marker import FileOutageMarker
from alertworker.store.schema.publishers import CLOCKS
from alertworker.worker.away_log import AwayLog
from tests.integration.harness import NOW, Outbox
from tests.integration.test_health_store import no_writes


def test_a_check_leaves_nothing_behind(store: SqlStore) -> None:
    store.check_writes()

    with store.engine.connect() as connection:
        assert connection.execute(select(CLOCKS)).all() == []


def test_beat_notifies_of_a_database_that_only_refuses_writes(
    runtime: Runtime, store: SqlStore, outbox: Outbox, tmp_path: Path
) -> None:
    """The message has the reason. Readiness has the same."""
    watch = StoreWatchdog(runtime, FileOutageMarker(tmp_path / "mark"), patience=timedelta(seconds=8))
    with no_writes(store):
        for seconds in (0, 5, 10):
            watch.check(now=NOW + timedelta(seconds=seconds))
        problem = HealthStore(store.engine).find_write_problem()
    watch.check(now=NOW + timedelta(seconds=15))

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    assert outbox.sent[0].facts["Reason"] == problem


@pytest.mark.parametrize("table", ["alerts", "spend", "outages"])
def test_a_held_lock_is_noticed_within_seconds(store: SqlStore, table: str) -> None:
    """The check waits for a shorter time than a worker does. After the check the usual 20 s apply again."""
    health = HealthStore(store.engine)
    with closing(store.engine.connect()) as holder:
        if store.engine.dialect.name == "postgresql":
            holder.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))  # as CREATE INDEX does
            reason = r"aborted the transaction 5 times \(LockNotAvailable\)"
        else:
            holder.execute(text("SELECT 1"))  # begins a transaction, with the write lock
            reason = r"unavailable \(SQLITE_BUSY\)"
        with pytest.raises(StoreUnavailable, match=reason) as caught:
            store.check_writes()
        assert health.find_write_problem() == str(caught.value)
    store.check_writes()

    assert health.find_write_problem() is None
    question = "PRAGMA busy_timeout" if store.engine.dialect.name == "sqlite" else "SHOW lock_timeout"
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql(question).scalar() in (20_000, "20s")


def test_services_have_not_answered_while_the_database_refuses_writes(
    store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A delivery task that finds nothing to send only reads, and succeeds on a standby."""
    log = AwayLog(check=store.check_writes)
    log.away("the sweep", StoreUnavailable("read-only"))
    with no_writes(store):
        with log.skipping("delivery"):
            store.read(lambda tx: tx.clock.read("x"))
        assert "answered again" not in caplog.text
    log.back()

    assert caplog.text.count("answered again") == 1
