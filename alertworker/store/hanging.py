"""Announced calls, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from typing_extensions import override

from alertworker.events import RequestAnnounced
from alertworker.ports.hanging import CallOutcome, HangingPort
from alertworker.store.schema.publishers import CALLS
from alertworker.store.upsert import Statements, insert_or


class HangingStatements(Statements, HangingPort):
    """Announced calls, and how they ended."""

    @override
    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        fresh: set[str] = set()
        for call in sorted(calls, key=lambda call: call.call_id):
            row = {"call_id": call.call_id, "boot_id": call.boot_id, "announced_at": call.occurred_at}
            statement = insert_or(self.connection, CALLS).values(row).on_conflict_do_nothing()
            if self.connection.execute(statement.returning(CALLS.c.call_id)).first() is not None:
                fresh.add(call.call_id)
        return fresh

    @override
    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        ids = sorted(call_ids)
        self.connection.execute(update(CALLS).where(CALLS.c.call_id.in_(ids)).values(alert_id=alert_id))

    @override
    def oldest_hanging(self, alert_id: str) -> datetime | None:
        """Return when the longest-running call of an alert was announced, ``None`` if all have ended."""
        running = (CALLS.c.alert_id == alert_id) & CALLS.c.outcome.is_(None)
        return self.connection.execute(select(func.min(CALLS.c.announced_at)).where(running)).scalar()

    @override
    def end_calls(self, calls: Mapping[str, tuple[CallOutcome, datetime]]) -> None:
        for call_id, (outcome, ended_at) in sorted(calls.items()):
            values = {"outcome": outcome, "ended_at": ended_at}
            statement = insert_or(self.connection, CALLS).values(call_id=call_id, **values)
            self.connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["call_id"], set_=values, where=CALLS.c.ended_at.is_(None)
                )
            )
