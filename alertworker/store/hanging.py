"""Announced calls, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select, update
from typing_extensions import override

from alertworker.events import RequestAnnounced
from alertworker.ports.hanging import CallOutcome, HangingPort
from alertworker.store.schema.publishers import CALLS
from alertworker.store.upsert import Statements, insert_or

_ATTACH: Final = update(CALLS).where(CALLS.c.call_id.in_(bindparam("ids", expanding=True)))


class HangingStatements(Statements, HangingPort):
    """Announced calls, and how they ended."""

    @override
    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        rows = [
            {"call_id": call.call_id, "boot_id": call.boot_id, "announced_at": call.occurred_at}
            for call in sorted(calls, key=lambda call: call.call_id)
        ]
        if not rows:
            return set()
        statement = insert_or(self.connection, CALLS).on_conflict_do_nothing().returning(CALLS.c.call_id)
        return set(self.connection.execute(statement, rows).scalars())

    @override
    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        self.connection.execute(_ATTACH, {"ids": sorted(call_ids), "alert_id": alert_id})

    @override
    def oldest_hanging(self, alert_id: str) -> datetime | None:
        running = (CALLS.c.alert_id == alert_id) & CALLS.c.outcome.is_(None)
        return self.connection.execute(select(func.min(CALLS.c.announced_at)).where(running)).scalar()

    @override
    def end_calls(self, calls: Mapping[str, tuple[CallOutcome, datetime]]) -> None:
        if not calls:
            return
        rows = [{"call_id": name, "outcome": how, "ended_at": at} for name, (how, at) in sorted(calls.items())]
        statement = insert_or(self.connection, CALLS)
        ends = {name: statement.excluded[name] for name in ("outcome", "ended_at")}
        upsert = statement.on_conflict_do_update(
            index_elements=["call_id"], set_=ends, where=CALLS.c.ended_at.is_(None)
        )
        self.connection.execute(upsert, rows)
