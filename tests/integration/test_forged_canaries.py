"""Only a canary that the sweep has sent proves that the pipeline is current."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alertworker.events import Canary
from alertworker.events.batch import WORKER
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.ports import Clock
from alertworker.store import SqlStore
from alertworker.store.schema.batches import COUNTERS
from tests.integration.harness import NOW, batch, rows

#: When the worker applies the batches.
LATER = NOW + timedelta(minutes=10)


@pytest.mark.parametrize("producer", [WORKER, "http", "boot-1", ""])
@pytest.mark.parametrize("seconds", [1, 600, 86_400 * 365])
def test_a_forged_canary_advances_nothing(runtime: Runtime, store: SqlStore, producer: str, seconds: int) -> None:
    """The last canary was sent at `NOW` and waits in the queue. A time far ahead is clamped to the present."""
    sweep(runtime, now=NOW)
    forged = replace(batch(Canary(occurred_at=NOW + timedelta(seconds=seconds))), producer=producer)
    ingest(forged, runtime, now=LATER)

    assert store.run(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED)) is None
    assert ("dropped", "foreign_canary", 1) in [(row.name, row.label, row.value) for row in rows(store, COUNTERS)]


def test_a_canary_that_was_never_sent_advances_nothing(runtime: Runtime, store: SqlStore) -> None:
    """A new database has not sent any."""
    ingest(batch(Canary(occurred_at=NOW)), runtime, now=NOW)
    assert store.run(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED)) is None


def test_a_canary_of_the_sweep_returns(runtime: Runtime, store: SqlStore) -> None:
    """Older ones that waited in the queue count, too."""
    for seconds in (0, 5, 10):
        sweep(runtime, now=NOW + timedelta(seconds=seconds))
    sent = runtime.broker.published  # type: ignore[attr-defined]
    for seconds, event in zip((0, 5, 10), sent, strict=True):
        ingest(batch(event), runtime, now=LATER)
        arrived = store.run(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED))
        assert arrived == NOW + timedelta(seconds=seconds)
