"""A bad event is dropped and counted, and the other events of its turn are sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alertworker.events import Canary, RequestSucceeded
from alertworker.events.batch import SealedBatch, decode
from alertworker.integrations.litellm.outgoing import outgoing
from alertworker.publisher import Publisher

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
GOOD = {"type": "llm.request.succeeded", "call_id": "1", "started_at": NOW, "ended_at": NOW, "cost_nanos": 1}


class Unreadable(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        return 1


def cyclic() -> dict[str, Any]:
    """Return a mapping that contains itself."""
    inner: dict[str, Any] = {}
    inner["inner"] = inner
    return {**GOOD, "alerting_metadata": inner, "failure": inner}


def deep() -> dict[str, Any]:
    """Return a mapping that is nested deeper than Python's stack."""
    inner: Any = "x"
    for _ in range(100_000):
        inner = {"a": inner}
    return {**GOOD, "cost_nanos": inner}


BAD: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a number": lambda: 7,
    "a string": lambda: "x",
    "a list": list,
    "an empty mapping": dict,
    "a class": lambda: Canary,
    "a mapping that cannot be read": Unreadable,
    "a cyclic mapping": cyclic,
    "a deep mapping": deep,
    "half of a surrogate pair": lambda: {**GOOD, "call_id": "\ud800"},
    "an event that was not validated": lambda: Canary.model_construct(event_id="\ud800"),  # type: ignore[arg-type]
}


class Memory:
    """A transport that keeps the events."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def send(self, batch: SealedBatch) -> None:
        """Keep the ids of its calls."""
        events = decode(batch.body, "zstd").events
        self.calls += [event.call_id for event in events if isinstance(event, RequestSucceeded)]

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("prepare", [dict, outgoing], ids=["plain", "litellm"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_event_costs_no_other(tmp_path: Path, kind: str, prepare: Callable[[Any], Any]) -> None:
    """It was up to 499 others, which no counter had."""
    transport = Memory()
    publisher = Publisher(transport, tmp_path, batch_seconds=0.05)
    publisher.prepare = prepare
    bad = BAD[kind]()
    good = [{**GOOD, "call_id": str(number)} for number in range(20)]
    for event in (*good[:10], bad, *good[10:]):
        publisher.publish(event)
    ends = time.monotonic() + 5
    while len(transport.calls) < len(good) and time.monotonic() < ends:
        time.sleep(0.01)
    publisher.close()

    assert transport.calls == [event["call_id"] for event in good]
    assert publisher.stats().dropped == {"invalid": 1}
