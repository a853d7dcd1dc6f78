"""Health is fetched once for all clients, whether it is an answer, an error, or late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from alertworker.errors import StoreUnavailable
from alertworker.store import HealthSnapshot
from alertworker.web import cached
from alertworker.web.cached import CachedHealth

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_an_error_is_shared_like_an_answer() -> None:
    """With an unavailable database each query takes seconds and a thread."""
    asked: list[datetime] = []

    def read(now: datetime) -> HealthSnapshot:
        asked.append(now)
        raise StoreUnavailable("the database is unavailable")

    async def act() -> list[object]:
        health = CachedHealth(read, lambda: 0, lambda: None)
        first = await asyncio.gather(*(health.snapshot(NOW) for _ in range(100)), return_exceptions=True)
        return [*first, *await asyncio.gather(health.snapshot(NOW), return_exceptions=True)]

    answers = asyncio.run(act())
    assert (len(asked), {str(answer) for answer in answers}) == (1, {"the database is unavailable"})


def test_a_client_does_not_wait_longer_than_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "PATIENCE", 0.05)
    gate, threads = threading.Event(), set[int]()

    def read(_now: datetime) -> HealthSnapshot:
        threads.add(threading.get_ident())
        gate.wait(10)
        return HealthSnapshot({}, {}, {}, {}, 0, {}, {}, {}, canary_seconds=None)

    async def act() -> Sequence[object]:
        health = CachedHealth(read, lambda: 0, lambda: None)
        answers = await asyncio.gather(*(health.snapshot(NOW) for _ in range(50)), return_exceptions=True)
        gate.set()
        return answers

    assert {type(answer) for answer in asyncio.run(act())} == {StoreUnavailable}
    assert len(threads) == 1


def test_writes_are_checked_less_often_than_figures_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check takes SQLite's write lock. Figures alone need no check."""
    moment, read, checked = [100.0], list[float](), list[float]()
    monkeypatch.setattr("alertworker.web.cached.time", SimpleNamespace(monotonic=lambda: moment[0]))

    def figures(_now: datetime) -> HealthSnapshot:
        read.append(moment[0])
        return HealthSnapshot({}, {}, {}, {}, 0, {}, {}, {}, canary_seconds=None)

    def check() -> str:
        checked.append(moment[0])
        return "read-only"

    async def act() -> list[str | None]:
        health = CachedHealth(figures, lambda: 0, check)
        await health.snapshot(NOW)
        found = [await health.write_problem(NOW)]
        for later in (103.0, 104.9, 105.1):
            moment[0] = later
            await health.snapshot(NOW)
            found.append(await health.write_problem(NOW))
        return found

    assert asyncio.run(act()) == ["read-only"] * 4
    assert (read, checked) == ([100.0, 103.0, 105.1], [100.0, 105.1])
