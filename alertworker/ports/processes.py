"""Our own running processes, as each publishes itself in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

#: How often a process publishes itself.
PUBLISH_EVERY: Final = timedelta(seconds=20)
#: A process counts as ended when it has not published itself for this long.
GONE_AFTER: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Process:
    """A running process with its configuration.

    ``settings`` maps the name of each public setting to a digest; secrets are left out. ``channels`` maps the name of
    each channel to its kind and label.
    """

    host: str
    role: str
    pid: int
    version: str
    settings: Mapping[str, str]
    channels: Mapping[str, Sequence[str]]
    started_at: datetime
    seen_at: datetime


class ProcessPort(Protocol):
    """The running processes in the store."""

    def publish(self, process: Process) -> None:
        """Write a process with the present time, and delete the processes that have ended."""
        ...

    def running(self, *, now: datetime) -> list[Process]:
        """Return the running processes, by role, host and process id."""
        ...
