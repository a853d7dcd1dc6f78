"""Occurrences of alerts in SQL: their names, their numbers by team, and the files of an alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, update
from typing_extensions import override

from alertworker.alerts.tables import Attachment
from alertworker.ports.occurrences import OccurrencePort
from alertworker.store.rows import Rows
from alertworker.store.schema.alerts import ATTACHMENTS, MEMBERS, PARTS
from alertworker.store.upsert import Statements, insert_or


class OccurrenceStatements(Statements, OccurrencePort):
    """Occurrences in SQL."""

    @override
    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        first = total - len(members)
        rows = [{"alert_id": alert_id, "position": first + n, "member": name} for n, name in enumerate(members)]
        if rows:
            self.connection.execute(insert_or(self.connection, MEMBERS).on_conflict_do_nothing(), rows)

    @override
    def members_since(self, alert_id: str, position: int, limit: int) -> tuple[str, ...]:
        statement = (
            select(MEMBERS.c.member)
            .where(MEMBERS.c.alert_id == alert_id, MEMBERS.c.position >= position)
            .order_by(MEMBERS.c.position)
            .limit(limit)
        )
        return tuple(self.connection.execute(statement).scalars())

    @override
    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        rows = [(alert_id, part, count, 0) for part, count in sorted(parts.items())]
        self._add(PARTS, Rows(("alert_id", "part", "count", "notified_count"), rows))

    @override
    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        if attachments:
            rows = [{"alert_id": alert_id, **attachment.model_dump()} for attachment in attachments]
            self.connection.execute(insert_or(self.connection, ATTACHMENTS).values(rows))

    @override
    def take_parts(self, alert_id: str) -> dict[str, int]:
        own = PARTS.c.alert_id == alert_id
        uncounted = select(PARTS.c.part, PARTS.c.count - PARTS.c.notified_count).where(
            own, PARTS.c.count > PARTS.c.notified_count
        )
        parts = {row[0]: row[1] for row in self.connection.execute(uncounted)}
        if parts:
            self.connection.execute(update(PARTS).where(own).values(notified_count=PARTS.c.count))
        return parts

    @override
    def count_members(self, alert_id: str) -> int:
        statement = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.alert_id == alert_id)
        return self.connection.execute(statement).scalar_one()
