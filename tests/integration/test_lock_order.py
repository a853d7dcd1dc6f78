"""Workers and sweeps lock rows in one order on PostgreSQL, so they wait for each other and never deadlock.

Each test holds a row that comes late in the order. When the work waits for it, rows that come even later must be free.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Select, func, select, text

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.events import AttemptFailed, FailedOn
from alertworker.outages import alert as outages
from alertworker.outages import callers
from alertworker.outages.windows import Target
from alertworker.pipeline import Runtime, ingest
from alertworker.pipeline.callers import end_callers
from alertworker.pipeline.credential_ends import end_credentials
from alertworker.pipeline.notify import claim
from alertworker.ports import Clock
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.outages import CREDENTIALS, OUTAGES
from tests.integration.harness import NOW, batch
from tests.integration.test_callers import KEYS, bad, others
from tests.integration.test_credentials import refused
from tests.integration.test_outages import after, attempt, ingest_at, lost, success

pytestmark = [pytest.mark.postgresql, pytest.mark.parametrize("store", ["postgresql"], indirect=True)]
#: The longest time that a test waits for another thread, in seconds.
_PATIENCE = 60.0


def is_free(store: SqlStore, which: Select[Any]) -> bool:
    """Return whether the row is not locked."""
    with store.engine.begin() as connection:
        assert len(connection.execute(which).all()) == 1
        return bool(connection.execute(which.with_for_update(skip_locked=True)).all())


@contextmanager
def waiting(store: SqlStore, work: Callable[[], object], held: Select[Any]) -> Iterator[None]:
    """Hold a row until the block ends. The block begins when ``work`` waits for the row."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run)
    with store.engine.begin() as connection:
        assert connection.execute(held.with_for_update()).all()
        thread.start()
        deadline = time.monotonic() + _PATIENCE
        while not _has_waiting(store):
            assert thread.is_alive(), "the work did not wait"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    thread.join(_PATIENCE)
    assert not thread.is_alive()
    assert errors == []


def _has_waiting(store: SqlStore) -> bool:
    with store.engine.begin() as connection:
        waiters = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(connection.execute(text(waiters)).scalar_one())


def credential(number: int) -> str:
    return f"{number:012x}"


def row_of(number: int) -> Select[Any]:
    return select(CREDENTIALS).where(CREDENTIALS.c.credential == credential(number))


def alert_of(fingerprint: str) -> Select[Any]:
    return select(ALERTS).where(ALERTS.c.fingerprint == fingerprint)


def refused_with(number: int, seconds: float, deployment: str) -> AttemptFailed:
    return refused(seconds, deployment).model_copy(update={"credential": credential(number)})


def refuse(runtime: Runtime, number: int, deployment: str) -> None:
    ingest_at(runtime, *[refused_with(number, n, deployment) for n in range(6)], at=6)


def test_credentials_of_lost_calls_are_locked_with_those_of_refused_calls(runtime: Runtime, store: SqlStore) -> None:
    refuse(runtime, 1, "d1")
    refuse(runtime, 2, "d2")
    call = lost(20, failed_on=(FailedOn(deployment_id="d1", provider="azure"),))
    work = partial(ingest, batch(refused_with(2, 20, "d2"), call), runtime, now=after(21))
    with waiting(store, work, row_of(1)):
        assert is_free(store, row_of(2))


def test_ended_credentials_lock_all_outages_before_alerts(runtime: Runtime, store: SqlStore) -> None:
    refuse(runtime, 1, "d1")
    refuse(runtime, 2, "d2")
    ingest_at(runtime, success(30, deployment="d1"), success(30, deployment="d2"), at=30)
    store.run(lambda tx: tx.clock.advance(Clock.CANARY_ARRIVED, after(2_000)))

    def work() -> None:
        store.run(lambda tx: end_credentials(tx, runtime, limit=100, now=after(2_000)))

    with waiting(store, work, select(OUTAGES).where(OUTAGES.c.deployment_id == "d2")):
        outage = ALERTS.c.fingerprint == outages.fingerprint(Target("d1"))
        assert is_free(store, select(ALERTS).where(outage))
    with store.engine.begin() as connection:
        opened = select(func.count()).where(ALERTS.c.open_fingerprint.is_not(None), ALERTS.c.kind == "condition")
        assert connection.execute(opened).scalar_one() == 0


def test_a_region_reads_models_without_locks(runtime: Runtime, store: SqlStore) -> None:
    """The alert of another model is open, and its row is locked."""
    failing = [attempt(n, deployment=name, region="eu") for n in range(6) for name in ("d1", "d2")]
    ingest_at(runtime, *failing, *[attempt(n, deployment="d3", region="us") for n in range(6)], at=6)
    other = attempt(10, deployment="d9", region="eu").model_copy(update={"model_group": "other"})
    with store.engine.begin() as connection:
        alert = select(ALERTS).where(ALERTS.c.labels["scope"].as_string() == "model")
        assert connection.execute(alert.with_for_update()).all()
        thread = threading.Thread(target=lambda: ingest(batch(other), runtime, now=after(10)))
        thread.start()
        thread.join(_PATIENCE)
        is_done = not thread.is_alive()
    thread.join(_PATIENCE)
    assert is_done


def _raise(runtime: Runtime, kind: AlertType, identity: dict[str, str], **labels: str) -> Alert:
    alert = Alert(kind, Severity.LOW, identity, "h", NOW, NOW, labels=labels)
    runtime.store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))
    return alert


def test_ended_callers_lock_all_notices_in_order(runtime: Runtime, store: SqlStore) -> None:
    callers_ = sorted(
        (_raise(runtime, AlertType.CALLER_ERRORS, {"entity": key}, key=f"app-{key[0]}") for key in ("a", "b")),
        key=lambda alert: alert.fingerprint,
    )
    names = [alert.labels["key"] for alert in callers_]
    notices = [Alert(AlertType.LLM_EXCEPTIONS, Severity.LOW, {"model": f"m{n}"}, "h", NOW, NOW) for n in range(2)]
    low, high = sorted(notices, key=lambda alert: alert.fingerprint)
    for notice, name in ((low, names[1]), (high, names[0])):
        _raise(runtime, notice.type, dict(notice.identity), key=name)
    later = NOW + timedelta(hours=1)
    store.run(lambda tx: tx.clock.advance(Clock.CANARY_ARRIVED, later))

    def work() -> None:
        store.run(lambda tx: end_callers(tx, runtime, limit=100, now=later))

    with waiting(store, work, alert_of(low.fingerprint)):
        assert is_free(store, alert_of(high.fingerprint))


def test_callers_problems_are_claimed_in_the_order_of_the_sweep(runtime: Runtime, store: SqlStore) -> None:
    pair = next(
        (one, two)
        for one in KEYS[5:]
        for two in KEYS[5:]
        if one < two and callers.fingerprint(one) > callers.fingerprint(two)
    )
    failing = [bad(n, key, name) for key, name in zip(pair, ("d1", "d2"), strict=True) for n in range(0, 30, 3)]
    ingest_at(runtime, *others(0), *others(0, deployment="d2"), *failing, at=30)
    again = [bad(31, key, name) for key, name in zip(pair, ("d1", "d2"), strict=True)]
    low, high = (callers.fingerprint(key) for key in reversed(pair))
    work = partial(ingest, batch(*again), runtime, now=after(31))
    with waiting(store, work, alert_of(low)):
        assert is_free(store, alert_of(high))
