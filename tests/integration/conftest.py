"""Stores for tests: SQLite in a folder, and a PostgreSQL database of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.labels import LABELS
from alertworker.pipeline import Runtime
from alertworker.ports.batches import CounterName
from alertworker.routing.router import Route, Router
from alertworker.store import SqlStore, make_engine
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from tests.databases import without_sync
from tests.integration.broker import Broker
from tests.integration.harness import Outbox, Recorder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """Return an empty, migrated store."""
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path / 'test.db')}"
    else:
        url = request.getfixturevalue("migrated_postgresql_url")
    store = SqlStore(without_sync(make_engine(url)))
    yield store
    with store.engine.connect() as connection:
        raised = {name for labels in connection.execute(select(ALERTS.c.labels)).scalars() for name in labels}
        failed = select(COUNTERS.c.label).where(COUNTERS.c.name == CounterName.FAILED_STEPS)
        steps = set(connection.execute(failed).scalars())
    store.engine.dispose()
    # A step that fails raises nothing, so that the others run.
    assert steps == set() or hasattr(request.module, "STEPS_FAIL"), "steps failed; the log has the places"
    assert raised <= LABELS, "alertworker/alerts/labels.py lacks labels that alerts have"


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def runtime(store: SqlStore, outbox: Outbox) -> Runtime:
    """Return a runtime with a threshold of 3 s and summaries every 10 s."""
    runtime = Runtime(
        store=store,
        broker=Recorder(),
        channels={"outbox": outbox},
        router=Router(
            root=Route(receiver="all"),
            receivers={"all": ("outbox",)},
            types=frozenset(AlertType),
            group_interval=10.0,
            repeat_interval=60.0,
        ),
    )
    return replace(runtime, policy=replace(runtime.policy, threshold_seconds=3.0))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "b").mkdir()
    running = Broker(tmp_path / "b")
    running.start()
    yield running
    running.stop()
