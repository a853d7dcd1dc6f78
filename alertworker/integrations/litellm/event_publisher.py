"""The part of a publisher that the callback uses. Tests use a publisher that keeps the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class _InFlight(Protocol):
    def start(self, call_id: str, describe: Callable[[], Mapping[str, object]], /) -> None: ...
    def progress(self, call_id: str, /) -> None: ...
    def finish(self, call_id: str, /) -> bool: ...


class EventPublisher(Protocol):
    """The part of `alertworker.publisher.Publisher` that the recorder needs."""

    threshold_seconds: float
    #: Applied to each mapping in the publisher's thread, before it is validated.
    prepare: Callable[[Mapping[str, object]], Mapping[str, object]]

    @property
    def inflight(self) -> _InFlight:
        """Return the running calls."""
        ...

    def publish(self, event: Mapping[str, object], /) -> None:
        """Append an event and return."""
        ...
