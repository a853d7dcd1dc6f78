"""PostgreSQL is stopped under traffic: nothing is lost or dead-lettered, and no process busy-loops."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.postgres import Postgres
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import failed, wait_for_count
from tests.processes import children

#: How long the database is down, in seconds.
AWAY = float(os.environ.get("ALERTWORKER_TEST_AWAY", "25"))


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    running = Postgres()
    yield running
    running.remove()


def cpu_seconds(stack: Stack) -> float:
    """Return the CPU time of all workers, with their children."""
    total = 0.0
    for role in ("ingest", "deliver"):
        parent = psutil.Process(stack.processes[role].pid)
        for process in [parent, *children(parent.pid, recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
    return total


@pytest.mark.timeout(240)
def test_a_database_that_is_away_loses_nothing(postgres: Postgres, slack: Receiver, tmp_path: Path) -> None:
    """Workers wait, people are notified, and afterwards every failure is counted once and the ledger is exact."""
    config = CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET).replace(
        "alertworker:\n", "alertworker:\n  store_patience: 8\n"
    )
    stack = Stack(tmp_path / "s", config, {"ALERTWORKER_DATABASE_URL": postgres.url})
    try:
        stack.up()
        publisher = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool")
        publisher.publish(failed(0))
        slack.wait_for("LLM API call failed", seconds=10)

        postgres.stop()
        before, began = cpu_seconds(stack), time.monotonic()
        number = 0
        while time.monotonic() - began < AWAY:
            number += 1
            publisher.publish(failed(number))
            time.sleep(0.25)
        used = cpu_seconds(stack) - before
        postgres.start()
        print(f"{number} failures while away; the workers used {used:.1f} s of CPU in {AWAY:g} s")

        wait_for_count(slack, number + 1, 90)
        slack.wait_for("The database is back", seconds=15)
        assert len(slack.taken("The database has been unavailable")) == len(slack.taken("The database is back")) == 1
        publisher.close()
        with psycopg.connect(postgres.url) as database:
            letters = database.execute("SELECT count(*) FROM dead_letters").fetchone()
            spend = database.execute("SELECT spend_nanos FROM spend WHERE dimension = 'team'").fetchone()
        assert letters == (0,)
        assert spend == (135 * (number + 1),)
        assert used < AWAY / 2
        assert "Traceback" not in stack.logs()
        waiting = [line for line in stack.logs().splitlines() if "waits:" in line]
        assert 0 < len(waiting) < 12, waiting  # one line per process and minute
    finally:
        stack.down()
