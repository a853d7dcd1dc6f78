"""Our own running processes, as each publishes itself in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

#: How often a process publishes itself.
PUBLISH_EVERY: Final = timedelta(seconds=20)
#: A process that has not published itself for this long is no longer running.
GONE_AFTER: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Process:
    """A running process with its configuration.

    ``settings`` has a digest of each setting that is no secret, by name. ``channels`` has the kind and the label of
    each channel, by its name.
    """

    host: str
    role: str
    pid: int
    version: str
    settings: Mapping[str, str]
    channels: Mapping[str, Sequence[str]]
    started_at: datetime
    seen_at: datetime

    @property
    def config_hash(self) -> str:
        """The hash of all settings that are no secrets, in 12 hexadecimal digits."""
        return hashlib.sha256(repr(sorted(self.settings.items())).encode()).hexdigest()[:12]


class ProcessPort(Protocol):
    """The running processes in the store."""

    def publish(self, process: Process) -> None:
        """Write a process, seen now, and forget those that are no longer running."""
        ...

    def running(self, *, now: datetime) -> list[Process]:
        """Return the running processes, by role, host and process id."""
        ...
