"""A publisher that keeps what it is given, validated by the wire contract as the real one does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alertworker.events import EVENT


class RecordingInFlight:
    """Calls that are watched, with how often they progressed."""

    def __init__(self) -> None:
        self.describes: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self.progressed: dict[str, int] = {}
        self.announced: set[str] = set()

    def start(self, call_id: str, describe: Callable[[], Mapping[str, Any]], /) -> None:
        """Watch a call."""
        self.describes[call_id] = describe

    def progress(self, call_id: str, /) -> None:
        """Count a chunk."""
        self.progressed[call_id] = self.progressed.get(call_id, 0) + 1

    def finish(self, call_id: str, /) -> bool:
        """Forget a call; return whether it was announced."""
        self.describes.pop(call_id, None)
        return call_id in self.announced


class RecordingPublisher:
    """Keeps events in order; an invalid one fails the test."""

    def __init__(self) -> None:
        self.inflight = RecordingInFlight()
        self.threshold_seconds = 0.0
        self.prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
        self.events: list[Any] = []

    def publish(self, event: Mapping[str, Any], /) -> None:
        """Prepare, validate and keep an event."""
        self.events.append(EVENT.validate_python(self.prepare(event)))
