"""Publishers in SQL: their reports, and which of them stopped reporting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, func, literal, literal_column, null, select, tuple_, update
from typing_extensions import override

from alertworker.alerts.call_description import UNKNOWN_MODEL
from alertworker.events import PublisherEvent, PublisherHeartbeat, PublisherStopped
from alertworker.ports import Host, HostState, Lifetime, LostPublisher, SilentHost
from alertworker.ports.admin import PublisherRow
from alertworker.ports.hanging import CallOutcome
from alertworker.ports.publishers import PublisherPort
from alertworker.store.connection import columns_of, read_rows
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.publishers import CALLS, PUBLISHERS, RUNNING
from alertworker.store.upsert import Statements, insert_or

#: A publisher that publishes nothing for longer than this has paused.
_PAUSE: Final = timedelta(minutes=5)
#: How many of a lost publisher's calls are returned by name.
_CALL_NAMES: Final = 5
#: A publisher's integration, "" if it names none. The value is a literal and not a parameter, so that GROUP BY can have
#: it.
_INTEGRATION: Final = func.coalesce(PUBLISHERS.c.integration, literal_column("''"))


class PublisherStatements(Statements, PublisherPort):
    """Publishers and the calls they have announced."""

    @override
    def update_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        reports = [_report(event, now) for event in sorted(events, key=lambda event: event.boot_id)]
        if not reports:
            return
        statement = insert_or(self.connection, PUBLISHERS)
        excluded = statement.excluded
        newer = PUBLISHERS.c.last_heartbeat_at <= excluded.last_heartbeat_at
        changes: dict[str, object] = {
            name: case((newer, excluded[name]), else_=PUBLISHERS.c[name]) for name in reports[0].keys() - {"boot_id"}
        }
        grew = PUBLISHERS.c.published < excluded.published
        paused = PUBLISHERS.c.moved_at < now - _PAUSE
        changes["moved_at"] = case((grew, excluded.moved_at), else_=PUBLISHERS.c.moved_at)
        changes["busy_since"] = case((grew & paused, excluded.busy_since), else_=PUBLISHERS.c.busy_since)
        changes["silent_at"] = case((grew, null()), else_=PUBLISHERS.c.silent_at)
        changes["arrived_at"] = now  # even a report with an older time proves that the publisher is running
        # A stop is final, also if the clock was set back since the last heartbeat.
        changes["stopped_at"] = func.coalesce(excluded.stopped_at, PUBLISHERS.c.stopped_at)
        upsert = statement.on_conflict_do_update(index_elements=["boot_id"], set_=changes)
        self.connection.execute(upsert, reports)

    @override
    def is_live(self, integration: str, *, since: datetime) -> bool:
        statement = select(PUBLISHERS.c.boot_id).where(
            PUBLISHERS.c.integration == integration,
            PUBLISHERS.c.arrived_at >= since,
            PUBLISHERS.c.stopped_at.is_(None),
            PUBLISHERS.c.lost_at.is_(None),
        )
        return self.connection.execute(statement.limit(1)).first() is not None

    @override
    def silent_hosts(
        self, *, reporting_since: datetime, quiet_since: datetime, limit: int, now: datetime
    ) -> list[SilentHost]:
        table = PUBLISHERS.c
        running = table.stopped_at.is_(None) & table.lost_at.is_(None) & (table.arrived_at >= reporting_since)
        moved_at = func.max(table.moved_at).label("moved_at")
        statement = (
            select(table.integration, table.host, moved_at, func.min(table.busy_since).label("busy_since"))
            .where(running, table.integration.is_not(None))
            .group_by(table.integration, table.host)
            .having(func.max(table.backlog) == 0)
            .order_by(table.integration, table.host)
        )
        hosts = self.connection.execute(statement).all()
        busy = {row.integration for row in hosts if row.moved_at >= now - _PAUSE and row.busy_since <= quiet_since}
        silent: list[SilentHost] = []
        for row in hosts:
            if len(silent) == limit:
                break
            if row.integration in busy and row.moved_at <= quiet_since:
                marked = update(PUBLISHERS).where(running, table.integration == row.integration, table.host == row.host)
                if self.connection.execute(marked.where(table.silent_at.is_(None)).values(silent_at=now)).rowcount:
                    silent.append(SilentHost(row.host, row.integration, row.moved_at))
        return silent

    @override
    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, limit: int, now: datetime
    ) -> list[LostPublisher]:
        silent = (
            PUBLISHERS.c.arrived_at < silent_since,
            PUBLISHERS.c.arrived_at < canary_sent_at,
            PUBLISHERS.c.stopped_at.is_(None),
            PUBLISHERS.c.lost_at.is_(None),
        )
        some = select(PUBLISHERS.c.boot_id).where(*silent).order_by(PUBLISHERS.c.arrived_at).limit(limit)
        # Nearly every sweep finds none, and then takes no lock.
        ids = sorted(self.connection.execute(some).scalars())
        if not ids:
            return []
        statement = (
            update(PUBLISHERS)
            # Repeated, because another sweep may have marked some of them while this one waited for their locks.
            .where(PUBLISHERS.c.boot_id.in_(ids), *silent)
            .values(lost_at=now)
            .returning(*columns_of(PublisherRow, PUBLISHERS))
        )
        return [self._lost(row, now=now) for row in read_rows(self.connection, PublisherRow, statement)]

    def _lost(self, row: PublisherRow, *, now: datetime) -> LostPublisher:
        """End a lost publisher's calls and return it with their names."""
        running = CALLS.c.boot_id == row.boot_id, CALLS.c.ended_at.is_(None)
        named = select(CALLS.c.call_id, ALERTS.c.labels).outerjoin(ALERTS, ALERTS.c.id == CALLS.c.alert_id)
        calls = self.connection.execute(named.where(*running).order_by(CALLS.c.call_id).limit(_CALL_NAMES)).all()
        ended = update(CALLS).where(*running).values(ended_at=now, outcome=CallOutcome.PROXY_GONE)
        return LostPublisher(
            boot_id=row.boot_id,
            host=Host(row.host, row.integration or ""),
            pid=row.pid,
            last_heartbeat_at=row.last_heartbeat_at,
            arrived_at=row.arrived_at,
            inflight=row.inflight or 0,
            calls=self.connection.execute(ended).rowcount if calls else 0,
            call_names=tuple(f"{call.call_id} ({(call.labels or {}).get('model', UNKNOWN_MODEL)})" for call in calls),
        )

    @override
    def lost_lifetimes(self, host: Host, *, since: datetime, limit: int) -> list[Lifetime]:
        statement = (
            select(PUBLISHERS.c.started_at, PUBLISHERS.c.last_heartbeat_at)
            .where(PUBLISHERS.c.host == host.name, PUBLISHERS.c.lost_at >= since)
            .where(literal(host.integration) == _INTEGRATION)
            .order_by(PUBLISHERS.c.lost_at.desc(), PUBLISHERS.c.boot_id)
            .limit(limit)
        )
        return [Lifetime(*row) for row in self.connection.execute(statement)]

    @override
    def count_missing_hosts(self, *, since: datetime) -> int:
        hosts = (
            select(PUBLISHERS.c.host)
            .group_by(PUBLISHERS.c.host, _INTEGRATION)
            .having(func.max(PUBLISHERS.c.lost_at) >= since, func.max(case((RUNNING, 1), else_=0)) == 0)
            .subquery()
        )
        return self.connection.execute(select(func.count()).select_from(hosts)).scalar_one()

    @override
    def living_hosts(self, integration: str, *, since: datetime) -> int:
        statement = select(func.count(PUBLISHERS.c.host.distinct())).where(
            RUNNING, PUBLISHERS.c.integration == integration, PUBLISHERS.c.arrived_at >= since
        )
        return self.connection.execute(statement).scalar_one()

    @override
    def host_states(self, hosts: Iterable[Host]) -> dict[Host, HostState]:
        integration = _INTEGRATION.label("integration")
        wanted = sorted(set(hosts))
        statement = (
            select(
                PUBLISHERS.c.host,
                integration,
                func.max(case((RUNNING, PUBLISHERS.c.arrived_at))),
                func.max(case((RUNNING, PUBLISHERS.c.moved_at))),
                func.max(case((RUNNING, PUBLISHERS.c.started_at))),
                func.max(PUBLISHERS.c.stopped_at),
            )
            .where(PUBLISHERS.c.host.in_({host.name for host in wanted}), PUBLISHERS.c.lost_at.is_(None))
            .where(tuple_(PUBLISHERS.c.host, integration).in_(wanted))
            .group_by(PUBLISHERS.c.host, integration)
        )
        rows = self.connection.execute(statement).all() if wanted else []
        return {Host(row[0], row[1]): HostState(*row[2:]) for row in rows}

    @override
    def backlogged(self) -> bool:
        living = PUBLISHERS.c.stopped_at.is_(None) & PUBLISHERS.c.lost_at.is_(None)
        statement = select(PUBLISHERS.c.boot_id).where(living, PUBLISHERS.c.backlog > 0)
        return self.connection.execute(statement.limit(1)).first() is not None


def _report(event: PublisherEvent, now: datetime) -> dict[str, object]:
    """Return a publisher's row by its report."""
    beat = event if isinstance(event, PublisherHeartbeat) else None
    return {
        "boot_id": event.boot_id,
        "host": event.host,
        "pid": event.pid,
        "last_heartbeat_at": event.occurred_at,
        "arrived_at": now,
        "lost_at": None,
        "interval_seconds": max(1, round(beat.interval_seconds)) if beat else 10,
        "integration": event.integration,
        "backlog": beat.backlog if beat else 0,
        # If the clock was set back after the start, the start is not known.
        "started_at": event.started_at if event.started_at <= event.occurred_at else None,
        "inflight": beat.inflight if beat else 0,
        "counters": event.counters.model_dump(),
        "published": event.counters.published,
        "moved_at": now,
        "busy_since": now,
        "stopped_at": event.occurred_at if isinstance(event, PublisherStopped) else None,
    }
