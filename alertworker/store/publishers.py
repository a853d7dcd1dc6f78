"""Publishers in SQL: their reports, and which of them stopped reporting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import case, func, literal, null, select, update

from alertworker.events import PublisherEvent, PublisherHeartbeat, PublisherStopped
from alertworker.ports import LostPublisher, SilentHost
from alertworker.ports.hanging import CallOutcome
from alertworker.store.schema.publishers import CALLS, PUBLISHERS
from alertworker.store.upsert import Statements, insert_or

#: A publisher that publishes nothing for longer than this has paused.
_PAUSE: Final = timedelta(minutes=5)


class PublisherStatements(Statements):
    """Publishers and the calls they have announced."""

    def update_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Store the newest report of each publisher. A late heartbeat does not undo a clean shutdown.

        A lost publisher that reports again is no longer lost.
        """
        for event in sorted(events, key=lambda event: event.boot_id):
            beat = event if isinstance(event, PublisherHeartbeat) else None
            row: dict[str, Any] = {
                "host": event.host,
                "pid": event.pid,
                "last_heartbeat_at": event.occurred_at,
                "arrived_at": now,
                "lost_at": None,
                "interval_seconds": max(1, round(beat.interval_seconds)) if beat else 10,
                "integration": event.integration,
                "backlog": beat.backlog if beat else 0,
                "counters": event.counters.model_dump(),
                "published": event.counters.published,
            }
            if isinstance(event, PublisherStopped):
                row["stopped_at"] = event.occurred_at
            statement = insert_or(self.connection, PUBLISHERS).values(
                boot_id=event.boot_id, moved_at=now, busy_since=now, **row
            )
            newer = PUBLISHERS.c.last_heartbeat_at <= event.occurred_at
            changes: dict[str, Any] = {
                name: case((newer, literal(value, PUBLISHERS.c[name].type)), else_=PUBLISHERS.c[name])
                for name, value in row.items()
            }
            grew = PUBLISHERS.c.published < event.counters.published
            paused = PUBLISHERS.c.moved_at < now - _PAUSE
            moment = literal(now, PUBLISHERS.c.moved_at.type)
            changes["moved_at"] = case((grew, moment), else_=PUBLISHERS.c.moved_at)
            changes["busy_since"] = case((grew & paused, moment), else_=PUBLISHERS.c.busy_since)
            changes["silent_at"] = case((grew, null()), else_=PUBLISHERS.c.silent_at)
            changes["arrived_at"] = now  # even a report with an older time proves that the publisher is running
            self.connection.execute(statement.on_conflict_do_update(index_elements=["boot_id"], set_=changes))

    def is_live(self, integration: str, *, since: datetime) -> bool:
        """Return whether a publisher of this integration is running and has reported since then."""
        statement = select(PUBLISHERS.c.boot_id).where(
            PUBLISHERS.c.integration == integration,
            PUBLISHERS.c.arrived_at >= since,
            PUBLISHERS.c.stopped_at.is_(None),
            PUBLISHERS.c.lost_at.is_(None),
        )
        return self.connection.execute(statement.limit(1)).first() is not None

    def silent_hosts(
        self, *, reporting_since: datetime, quiet_since: datetime, limit: int, now: datetime
    ) -> list[SilentHost]:
        """Mark at most ``limit`` hosts that report and published nothing since ``quiet_since``, while another did."""
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

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, limit: int, now: datetime
    ) -> list[LostPublisher]:
        """Mark at most ``limit`` publishers lost whose last report arrived before ``silent_since``.

        Their announced calls end.
        """
        silent = (
            PUBLISHERS.c.arrived_at < silent_since,
            PUBLISHERS.c.arrived_at < canary_sent_at,
            PUBLISHERS.c.stopped_at.is_(None),
            PUBLISHERS.c.lost_at.is_(None),
        )
        some = select(PUBLISHERS.c.boot_id).where(*silent).order_by(PUBLISHERS.c.boot_id).limit(limit)
        statement = (
            update(PUBLISHERS)
            # Repeated, because another sweep may have marked some of them while this one waited for their locks.
            .where(PUBLISHERS.c.boot_id.in_(some.scalar_subquery()), *silent)
            .values(lost_at=now)
            .returning(PUBLISHERS.c.boot_id, PUBLISHERS.c.host, PUBLISHERS.c.pid, PUBLISHERS.c.last_heartbeat_at)
        )
        lost = []
        for row in self.connection.execute(statement).all():
            ended = self.connection.execute(
                update(CALLS)
                .where(CALLS.c.boot_id == row.boot_id, CALLS.c.ended_at.is_(None))
                .values(ended_at=now, outcome=CallOutcome.PROXY_GONE)
            )
            lost.append(LostPublisher(row.boot_id, row.host, row.pid, row.last_heartbeat_at, ended.rowcount))
        return lost

    def backlogged(self) -> bool:
        """Return whether a running publisher has events that it could not send yet."""
        living = PUBLISHERS.c.stopped_at.is_(None) & PUBLISHERS.c.lost_at.is_(None)
        statement = select(PUBLISHERS.c.boot_id).where(living, PUBLISHERS.c.backlog > 0)
        return self.connection.execute(statement.limit(1)).first() is not None
