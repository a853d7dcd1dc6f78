"""Workers killed at random, while several apply the same batches: the ledger is what one fold of all calls gives."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from alertworker.folding import fold
from alertworker.ledger import SpendKey, SpendSums
from alertworker.store import SqlStore
from alertworker.store.ledger_tables import LATENCIES, OUTCOMES, SPEND, SPEND_SIZES
from alertworker.store.tables import BATCHES
from tests.integration.line import NOW, batch, rows
from tests.integration.test_ledger import traffic

SEED = int(os.environ.get("ALERTWORKER_LEDGER_SEED", "7"))
BATCHES_SENT, CALLS, WORKERS, KILLS = 200, 25, 3, 8


def worker(url: str, folder: Path, seed: int) -> subprocess.Popen[str]:
    """Start a worker, and wait until it is about to apply its first batch."""
    command = [sys.executable, "-m", "tests.integration.ledger_worker", url, str(folder), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def test_killed_workers_leave_the_ledger_exact(store: SqlStore, tmp_path: Path) -> None:
    """To the nano-dollar, on both databases; no worker that was left alone ends with an error, a deadlock say."""
    chance = random.Random(SEED)
    events = traffic(SEED, BATCHES_SENT * CALLS)
    for start in range(BATCHES_SENT):
        message = batch(*events[start::BATCHES_SENT])
        assert isinstance(message.events, bytes)
        (tmp_path / f"{message.batch_id}.zst").write_bytes(message.events)
    url = store.engine.url.render_as_string(hide_password=False)
    workers = [worker(url, tmp_path, chance.randrange(10**9)) for _ in range(WORKERS)]
    applied = []
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 0.1))
        with store.engine.connect() as connection:
            applied.append(connection.execute(select(func.count()).select_from(BATCHES)).scalar_one())
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        victim.wait(30)
        workers.append(worker(url, tmp_path, chance.randrange(10**9)))
    assert [process.wait(90) for process in workers] == [0] * WORKERS
    assert min(applied) < BATCHES_SENT, "the kills struck before everything was applied"

    whole = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW).ledger
    found = {SpendKey(row.day, row.dimension, *row[2:5]): SpendSums(*row[5:]) for row in rows(store, SPEND)}
    assert found == whole.spend()
    assert {tuple(row[:3]): tuple(row[3:]) for row in rows(store, OUTCOMES)} == {
        tuple(key): (sums.attempts, sums.calls) for key, sums in whole.outcomes.items()
    }
    assert {tuple(row[:4]): tuple(row[4:]) for row in rows(store, LATENCIES)} == {
        tuple(key): (sums.count, sums.microseconds) for key, sums in whole.latencies.items()
    }
    sizes = {(row.dimension, row.day): row.rows for row in rows(store, SPEND_SIZES)}
    assert all(
        size == len([key for key in found if (key.dimension, key.day) == place]) for place, size in sizes.items()
    )
