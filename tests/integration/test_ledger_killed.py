"""Workers killed at random, and during a crossing: the ledger is exact, and a limit is notified once."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from alertworker.folding import fold
from alertworker.money import dollars_from_nanos
from alertworker.pipeline import ingest
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.ledger import LATENCIES, OUTCOMES, SPEND
from tests.integration import ledger_worker
from tests.integration.harness import NOW, answered, assert_ledger_agrees, batch, ledger_days, rows
from tests.integration.ledger_worker import AFTER_COMMIT, BEFORE_COMMIT, PROCESSES
from tests.integration.test_ledger import traffic

SEED = int(os.environ.get("ALERTWORKER_LEDGER_SEED", "7"))
BATCHES_SENT, CALLS, WORKERS, KILLS = 80, 25, 3, 8


def url_of(store: SqlStore) -> str:
    """Return the database's URL."""
    return store.engine.url.render_as_string(hide_password=False)


def worker(store: SqlStore, folder: Path, seed: int, max_dollars: float, begin: Event) -> ForkServerProcess:
    """Start a worker, and wait until it is about to apply its first batch. It continues when ``begin`` is set."""
    ready = PROCESSES.Event()
    arguments = (url_of(store), str(folder), seed, max_dollars, ready, begin)
    process = PROCESSES.Process(target=ledger_worker.apply_all, args=arguments, daemon=True)
    process.start()
    assert ready.wait(60)
    return process


def ended(process: ForkServerProcess) -> int | None:
    """Wait for a worker's end, and return its exit code."""
    process.join(90)
    return process.exitcode


def test_killed_workers_leave_the_ledger_exact_and_a_limit_notified_once(store: SqlStore, tmp_path: Path) -> None:
    """Sums are exact to the nano-dollar on both databases. No worker that was not killed ends with an error."""
    chance = random.Random(SEED)
    events = traffic(SEED, BATCHES_SENT * CALLS)
    whole = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW).ledger
    for start in range(BATCHES_SENT):
        message = batch(*events[start::BATCHES_SENT])
        assert isinstance(message.events, bytes)
        (tmp_path / f"{message.batch_id}.zst").write_bytes(message.events)
    of_x = sum(sums.spend_nanos for key, sums in whole.spend().items() if key[1::2] == ("tag", "x"))
    limit = float(dollars_from_nanos(of_x) / 2)
    begin = PROCESSES.Event()
    workers = [worker(store, tmp_path, chance.randrange(10**9), limit, begin) for _ in range(WORKERS)]
    begin.set()
    applied = []
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 0.1))
        with store.engine.connect() as connection:
            applied.append(connection.execute(select(func.count()).select_from(BATCHES)).scalar_one())
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        victim.join(30)
        workers.append(worker(store, tmp_path, chance.randrange(10**9), limit, begin))
    assert [ended(process) for process in workers] == [0] * WORKERS
    assert min(applied) < BATCHES_SENT, "the kills struck before everything was applied"

    assert ledger_days(store) == whole.spend()
    assert_ledger_agrees(store)
    assert {tuple(row[:3]): tuple(row[3:]) for row in rows(store, OUTCOMES)} == {
        tuple(key): (sums.attempts, sums.calls) for key, sums in whole.outcomes.items()
    }
    assert {tuple(row[:4]): tuple(row[4:]) for row in rows(store, LATENCIES)} == {
        tuple(key): (sums.count, sums.microseconds) for key, sums in whole.latencies.items()
    }
    assert len(rows(store, NOTIFICATIONS)) == len(rows(store, ALERTS)) == 1


@pytest.mark.parametrize("count", [1, 4])
def test_a_worker_killed_anywhere_in_a_crossing_leaves_one_message(store: SqlStore, tmp_path: Path, count: int) -> None:
    """It dies at statements across its transaction of one or four batches, just before its commit, and just after it.

    Then the batches are redelivered, each alone.
    """
    paths = [tmp_path / f"crossing-{number}.zst" for number in range(count)]
    for path in paths:
        message = batch(answered("c", tags=("x",), cost_nanos=101 * 10**9))
        assert isinstance(message.events, bytes)
        path.write_bytes(message.events)

    for moment in (1, 2, 3, 6, 9, 12, 15, 18, 20, BEFORE_COMMIT, AFTER_COMMIT):
        assert rows(store, NOTIFICATIONS) == rows(store, SPEND) == [], f"nothing is left of what died before {moment}"
        arguments = (url_of(store), list(map(str, paths)), 100.0 * count, moment)
        process = PROCESSES.Process(target=ledger_worker.die_at, args=arguments, daemon=True)
        process.start()
        assert ended(process) == -signal.SIGKILL, f"it was killed at {moment}"
    assert len(rows(store, NOTIFICATIONS)) == 1
    for path in paths:
        ingest(ledger_worker.message_of(path), ledger_worker.runtime_of(store, 100 * count), now=NOW)

    assert len(rows(store, NOTIFICATIONS)) == len(rows(store, ALERTS)) == 1
    assert sum(row.spend_nanos for row in rows(store, SPEND) if row.dimension == "team") == count * 101 * 10**9
