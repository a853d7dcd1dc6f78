"""The state of the whole line in figures, for health and metrics: no key, user or address is among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from alertworker.delivery.status import NotificationStatus
from alertworker.ports import Clock
from alertworker.store.database import Database
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.publishers import CLOCKS, PUBLISHERS

#: From which age on of the newest canary that came round the line counts as standing still, in seconds; one is sent
#: each 5 s.
MAX_LAG = 60.0
#: A publisher that was silent for so many of its intervals is not counted as live.
_SILENT_INTERVALS = 5


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """Figures of one moment. ``counters`` only grow, by name and reason; ``lanes`` are seconds, see `HealthStore`."""

    alerts: Mapping[tuple[str, str], int]
    notifications: Mapping[tuple[str, str], int]
    lanes: Mapping[str, float]
    publishers: Mapping[str, int]
    backlog: int
    dead_letters: Mapping[str, int]
    counters: Mapping[tuple[str, str], int]
    #: How old the newest canary is that has come round, in seconds; ``None`` where none ever has.
    canary_seconds: float | None

    def oldest_seconds(self, queued: int) -> float | None:
        """Return how old the oldest of ``queued`` batches is at most, in seconds; ``None`` if that is not known.

        Batches are served in order. What waits was published after the newest canary that came round, and canaries
        are 5 s apart.
        """
        return self.canary_seconds if queued else 0.0

    @property
    def stands_still(self) -> bool:
        """Whether nothing has come round the line for longer than it can take."""
        return self.canary_seconds is None or self.canary_seconds > MAX_LAG


class HealthStore(Database):
    """Reads figures from the store, which all processes share."""

    def read(self, *, now: datetime) -> HealthSnapshot:
        """Give the figures: alerts by type and state, notifications by status and channel.

        ``lanes`` says per channel for how many seconds its oldest unsent notification has waited.
        """
        return self.run(lambda tx: _read(tx.connection, now))


def _read(connection: Connection, now: datetime) -> HealthSnapshot:
    state = case((ALERTS.c.open_fingerprint.is_not(None), "open"), else_="closed")
    waiting = (
        select(NOTIFICATIONS.c.channel, func.min(NOTIFICATIONS.c.created_at))
        .where(NOTIFICATIONS.c.status == NotificationStatus.PENDING)
        .group_by(NOTIFICATIONS.c.channel)
    )
    dead = select(DEAD_LETTERS.c.kind, func.count()).group_by(DEAD_LETTERS.c.kind)
    publishers, backlog = _publishers(connection, now)
    arrived = connection.execute(select(CLOCKS.c.at).where(CLOCKS.c.name == Clock.CANARY_ARRIVED)).scalar()
    return HealthSnapshot(
        alerts=_pairs(connection, select(ALERTS.c.type, state, func.count()).group_by(ALERTS.c.type, state)),
        notifications=_pairs(
            connection,
            select(NOTIFICATIONS.c.status, NOTIFICATIONS.c.channel, func.count()).group_by(
                NOTIFICATIONS.c.status, NOTIFICATIONS.c.channel
            ),
        ),
        lanes={channel: max(0.0, (now - since).total_seconds()) for channel, since in connection.execute(waiting)},
        publishers=publishers,
        backlog=backlog,
        dead_letters={row[0]: row[1] for row in connection.execute(dead)},
        counters=_pairs(connection, select(COUNTERS.c.name, COUNTERS.c.label, COUNTERS.c.value)),
        canary_seconds=None if arrived is None else max(0.0, (now - arrived).total_seconds()),
    )


def publisher_state(row: Any, *, now: datetime) -> str:
    """Say how a publisher is, by its row: "stopped", "lost", "silent" or "live"."""
    if row.stopped_at is not None:
        return "stopped"
    if row.lost_at is not None:
        return "lost"
    silent = (now - row.arrived_at).total_seconds() > _SILENT_INTERVALS * row.interval_seconds
    return "silent" if silent else "live"


def _pairs(connection: Connection, statement: Select[Any]) -> dict[tuple[str, str], int]:
    return {(row[0], row[1]): row[2] for row in connection.execute(statement)}


def _publishers(connection: Connection, now: datetime) -> tuple[dict[str, int], int]:
    """Count publishers by state, and what the live ones have not handed over yet."""
    states = {"live": 0, "silent": 0, "lost": 0}
    backlog = 0
    statement = select(PUBLISHERS).where(PUBLISHERS.c.stopped_at.is_(None))
    for row in connection.execute(statement):
        state = publisher_state(row, now=now)
        states[state] += 1
        backlog += row.backlog if state == "live" else 0
    return states, backlog
