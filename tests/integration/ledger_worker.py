"""Processes that apply batches and are killed. They are forked from a process that has imported everything, to start
fast.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from sqlalchemy import event

from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.configured import OwnBudget
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.pipeline.ingest import ingest_together
from alertworker.routing.router import Route, Router
from alertworker.store import SqlStore, make_engine
from tests.integration.harness import NOW, Recorder

#: A server that forks workers. They inherit no thread and no connection from the test.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "tests.integration.ledger_worker"])
#: The moments of a transaction at which a worker can die, in addition to the number of a statement.
BEFORE_COMMIT, AFTER_COMMIT = "before commit", "after commit"


def runtime_of(store: SqlStore, max_dollars: float) -> Runtime:
    """Return a runtime with a budget for one tag, which notifies once, when it is used up."""
    router = Router(
        Route(receiver="all"), {"all": ("outbox",)}, frozenset(AlertType), group_interval=10.0, repeat_interval=60
    )
    budget = OwnBudget(dimension="tag", entity="x", max=max_dollars, thresholds=())
    return Runtime(store=store, broker=Recorder(), channels={}, router=router, budgets=(budget,))


def message_of(path: Path) -> BatchMessage:
    """Read a sealed batch."""
    return BatchMessage(path.stem, path.read_bytes(), "zstd", "test")


def apply_all(url: str, folder: str, seed: int, max_dollars: float, ready: Event, begin: Event) -> None:
    """Apply every batch of a folder in a random order, up to four together as a worker does.

    Report when the first one is about to be applied, then wait.
    """
    runtime = runtime_of(SqlStore(make_engine(url)), max_dollars)
    paths = sorted(Path(folder).glob("*.zst"))
    chance = random.Random(seed)
    chance.shuffle(paths)
    ready.set()
    begin.wait()
    while paths:
        count = chance.randint(1, 4)
        apply(paths[:count], runtime)
        del paths[:count]


def apply(paths: Sequence[Path], runtime: Runtime) -> None:
    """Apply batches in one transaction if possible, else one by one."""
    messages = [message_of(path) for path in paths]
    if len(messages) == 1 or not ingest_together(messages, runtime, now=NOW):
        for message in messages:
            ingest(message, runtime, now=NOW)


def die_at(url: str, paths: Sequence[str], max_dollars: float, moment: int | str) -> None:
    """Apply batches together, and die at a statement of their transaction, or at its end."""
    engine = make_engine(url)
    runtime = runtime_of(SqlStore(engine), max_dollars)
    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    if moment == BEFORE_COMMIT:
        event.listen(engine, "commit", lambda _connection: os.kill(os.getpid(), signal.SIGKILL))
    apply([Path(path) for path in paths], runtime)
    if moment == AFTER_COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
