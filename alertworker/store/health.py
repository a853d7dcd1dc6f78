"""The state of the whole pipeline in figures, for health and metrics. No key, user or address is among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Executable, func, select

from alertworker.delivery.status import NotificationStatus
from alertworker.errors import StoreUnavailable
from alertworker.ports import Clock
from alertworker.ports.admin import PublisherState, running_state
from alertworker.ports.alert_search import StateFilter
from alertworker.ports.clock import FAILED, FAILING
from alertworker.store.connection import ConnectionRunner
from alertworker.store.schema.alerts import ALERTS, OPEN
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import DEAD_LETTERS, LANES, NOTIFICATIONS
from alertworker.store.schema.publishers import CLOCKS, LOST, PUBLISHERS, RUNNING
from alertworker.store.write_check import check_writes

#: The pipeline counts as stalled if the newest returned canary is older, in seconds. One is sent each 5 s.
MAX_LAG = 60.0


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """Figures of one moment. ``counters`` only grow, by name and reason; ``lanes`` are seconds, see `HealthStore`."""

    alerts: Mapping[tuple[str, str], int]
    notifications: Mapping[tuple[str, str], int]
    lanes: Mapping[str, float]
    publishers: Mapping[str, int]
    backlog: int
    #: For how many seconds each broken channel has accepted nothing, by its name.
    broken: Mapping[str, float]
    dead_letters: Mapping[str, int]
    counters: Mapping[tuple[str, str], int]
    #: How old the newest canary is that has come back, in seconds; ``None`` if none ever has.
    canary_seconds: float | None
    #: The steps of the sweep and of reports that failed lately, with the seconds since their last failure.
    failing: Mapping[str, float] = field(default_factory=dict)

    def oldest_seconds(self, queued: int) -> float | None:
        """Return how old the oldest of ``queued`` batches is at most, in seconds; ``None`` if that is not known.

        Batches are served in order. Waiting batches were published after the newest canary that came back, and canaries
        are 5 s apart.
        """
        return self.canary_seconds if queued else 0.0

    @property
    def is_stalled(self) -> bool:
        """Whether no canary has come back for longer than the pipeline can take."""
        return self.canary_seconds is None or self.canary_seconds > MAX_LAG


class HealthStore(ConnectionRunner):
    """Reads figures from the store, which all processes share."""

    def read(self, *, now: datetime) -> HealthSnapshot:
        """Return the figures: open alerts by type and state, pending notifications by status and channel.

        Closed alerts and settled notifications are not counted, because counting them would read the whole history.
        ``lanes`` has, by channel, for how many seconds its oldest unsent notification has waited.
        """
        return self.read_on_connection(lambda connection: _read(connection, now))

    def find_write_problem(self) -> str | None:
        """Return why the database cannot be written although it may answer, ``None`` if it can.

        `read` does not call this, because it takes SQLite's write lock for a moment.
        """
        try:
            check_writes(self.engine)
        except StoreUnavailable as error:
            return str(error)
        return None


def _read(connection: Connection, now: datetime) -> HealthSnapshot:
    opened = select(ALERTS.c.type, func.count()).where(OPEN).group_by(ALERTS.c.type)
    columns = (NOTIFICATIONS.c.channel, func.count(), func.min(NOTIFICATIONS.c.created_at))
    pending = select(*columns).where(NOTIFICATIONS.c.status == NotificationStatus.PENDING)
    waiting = connection.execute(pending.group_by(NOTIFICATIONS.c.channel)).all()
    dead = select(DEAD_LETTERS.c.kind, func.count()).group_by(DEAD_LETTERS.c.kind)
    publishers, backlog = _publishers(connection, now)
    arrived = connection.execute(select(CLOCKS.c.at).where(CLOCKS.c.name == Clock.CANARY_ARRIVED)).scalar()
    broken = select(LANES.c.channel, LANES.c.broken_at).where(LANES.c.broken_at.is_not(None))
    return HealthSnapshot(
        alerts={(row[0], StateFilter.OPEN.value): row[1] for row in connection.execute(opened)},
        notifications={(NotificationStatus.PENDING.value, channel): count for channel, count, _ in waiting},
        lanes={channel: max(0.0, (now - since).total_seconds()) for channel, _, since in waiting},
        publishers=publishers,
        backlog=backlog,
        broken={channel: max(0.0, (now - since).total_seconds()) for channel, since in connection.execute(broken)},
        dead_letters={row[0]: row[1] for row in connection.execute(dead)},
        counters=_pairs(connection, select(COUNTERS.c.name, COUNTERS.c.label, COUNTERS.c.value)),
        canary_seconds=None if arrived is None else max(0.0, (now - arrived).total_seconds()),
        failing=_failing(connection, now),
    )


def _failing(connection: Connection, now: datetime) -> dict[str, float]:
    lately = CLOCKS.c.name.startswith(FAILED) & (CLOCKS.c.at > now - FAILING)
    rows = connection.execute(select(CLOCKS.c.name, CLOCKS.c.at).where(lately).order_by(CLOCKS.c.name))
    return {name.removeprefix(FAILED): max(0.0, (now - at).total_seconds()) for name, at in rows}


def _pairs(connection: Connection, statement: Executable) -> dict[tuple[str, str], int]:
    return {(row[0], row[1]): row[2] for row in connection.execute(statement)}


def _publishers(connection: Connection, now: datetime) -> tuple[dict[str, int], int]:
    """Return the count of publishers by state, and how many events the live ones have not published yet."""
    lost = connection.execute(select(func.count()).select_from(PUBLISHERS).where(LOST)).scalar_one()
    states: dict[str, int] = {PublisherState.LIVE: 0, PublisherState.SILENT: 0, PublisherState.LOST: lost}
    backlog = 0
    # Only what is needed: to read the counters of 100,000 processes takes seconds.
    columns = (PUBLISHERS.c.arrived_at, PUBLISHERS.c.interval_seconds, PUBLISHERS.c.backlog)
    for arrived_at, interval, waiting in connection.execute(select(*columns).where(RUNNING)):
        state = running_state(arrived_at, interval, now=now)
        states[state] += 1
        backlog += waiting if state is PublisherState.LIVE else 0
    return states, backlog
