"""CPU per alert of one batch that raises many: ``python -m bench.alert_cost [shape …]``.

Each shape is one batch near the bounds of `ingest`, applied in this process with four channels.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from sqlalchemy import func, select

from alertworker.alerts.catalogue import AlertType
from alertworker.events import Budget, BudgetScope, Event
from alertworker.pipeline import Runtime, ingest
from alertworker.routing.router import Route, Router
from alertworker.store import SqlStore, make_engine
from alertworker.store.migrations import upgrade
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, Recorder, announced, answered, batch, failed
from tests.integration.test_alerts_per_transaction import attempt

CHANNELS: Final = ("one", "two", "three", "four")


def failures() -> list[Event]:
    """Return failed calls, each of a model and with an error class of its own."""
    calls = [(n, failed(f"c{n}")) for n in range(1_490)]
    return [
        call.model_copy(
            update={
                "model_group": f"m{n}",
                "deployment_id": None,
                "failure": call.failure.model_copy(update={"error_class": f"Error{n}"}),
            }
        )
        for n, call in calls
    ]


def outages() -> list[Event]:
    """Return failed attempts of 490 deployments, enough of each for an outage."""
    return [attempt(n, deployment=f"d{n % 490}", region=f"r{n % 490}") for n in range(4_900)]


def hanging() -> list[Event]:
    """Return announcements, each of a model of its own."""
    return [announced(f"h{n}").model_copy(update={"model_group": f"m{n}"}) for n in range(1_490)]


def budgets() -> list[Event]:
    """Return calls that report budgets that are used up."""
    spent = [Budget(scope=BudgetScope.TEAM, entity_id=f"t{n}", spend_nanos=2, max_nanos=1) for n in range(1_984)]
    return [answered(f"c{n}", budgets=tuple(spent[4 * n : 4 * n + 4])) for n in range(496)]


def owners() -> list[Event]:
    """Return calls, each with tags and owners of its own."""
    return [
        answered(
            f"c{n}", tags=(f"a{n}", f"b{n}"), user_id=f"u{n}", team_id=f"t{n}", key_hash=f"k{n}", key_alias=f"k{n}"
        )
        for n in range(2_700)
    ]


SHAPES: Final[dict[str, Callable[[], list[Event]]]] = {
    "failures": failures,
    "outages": outages,
    "hanging": hanging,
    "budgets": budgets,
    "owners": owners,
}


def runtime_of(store: SqlStore) -> Runtime:
    """Return a runtime that notifies four channels of each alert."""
    router = Router(Route(receiver="all"), {"all": CHANNELS}, frozenset(AlertType), 300.0, 14_400.0)
    channels = {name: Outbox() for name in CHANNELS}
    runtime = Runtime(store=store, broker=Recorder(), channels=channels, router=router)
    return replace(runtime, policy=replace(runtime.policy, threshold_seconds=3.0))


def measure(url: str, events: Sequence[Event]) -> str:
    """Apply a batch to an empty database. Return what it costs."""
    store = SqlStore(make_engine(url))
    upgrade(store.engine)
    runtime = runtime_of(store)
    ingest(batch(failed("warm"), announced("warm")), runtime, now=NOW)
    sealed = batch(*events)
    cpu, wall = time.process_time(), time.monotonic()
    ingest(sealed, runtime, now=NOW)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    with store.engine.connect() as connection:
        alerts, sent, dead = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (ALERTS, NOTIFICATIONS, DEAD_LETTERS)
        )
    store.engine.dispose()
    each = f"{1_000 * cpu / alerts:.2f} ms CPU per alert, " if alerts > 100 else ""  # the batch is about its alerts
    return f"{cpu:.2f} s CPU, {wall:.1f} s, {alerts} alerts, {sent} notifications, {each}{dead} dead letters"


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the addresses of two empty databases, by kind."""
    name = f"alertworker_bench_{uuid4().hex[:8]}"
    server = "postgresql://127.0.0.1:5432"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin, tempfile.TemporaryDirectory() as folder:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield {"SQLite": f"sqlite:///{Path(folder) / 'bench.db'}", "PostgreSQL": f"{server}/{name}"}
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def main() -> None:
    """Measure the shapes that the command names, or all."""
    for shape in sys.argv[1:] or SHAPES:
        with databases() as urls:
            for kind, url in urls.items():
                print(f"{shape}, {kind}: {measure(url, SHAPES[shape]())}", flush=True)


if __name__ == "__main__":
    main()
