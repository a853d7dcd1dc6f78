"""Occurrences of alerts in SQL: their names, their numbers by team, and the files of an alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Integer, bindparam, func, select, update
from typing_extensions import override

from alertworker.alerts.tables import Attachment
from alertworker.ports.occurrences import OccurrencePort
from alertworker.store.rows import Rows
from alertworker.store.schema.alerts import ATTACHMENTS, MEMBERS, PARTS
from alertworker.store.upsert import Statements, insert_missing, insert_or

_MEMBERS_SINCE: Final = (
    select(MEMBERS.c.member)
    .where(MEMBERS.c.alert_id == bindparam("own_id"), MEMBERS.c.position >= bindparam("first"))
    .order_by(MEMBERS.c.position)
    .limit(bindparam("most", type_=Integer))
)
_PARTS: Final = PARTS.c.alert_id == bindparam("own_id")
_UNCOUNTED: Final = select(PARTS.c.part, PARTS.c.count - PARTS.c.notified_count).where(
    _PARTS, PARTS.c.count > PARTS.c.notified_count
)
_TAKE_PARTS: Final = update(PARTS).where(_PARTS).values(notified_count=PARTS.c.count)
_COUNT_MEMBERS: Final = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.alert_id == bindparam("own_id"))


class OccurrenceStatements(Statements, OccurrencePort):
    """Occurrences in SQL."""

    @override
    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        first = total - len(members)
        rows = [{"alert_id": alert_id, "position": first + n, "member": name} for n, name in enumerate(members)]
        if rows:
            self.connection.execute(insert_missing(self.connection.dialect.name, MEMBERS), rows)

    @override
    def members_since(self, alert_id: str, position: int, limit: int) -> tuple[str, ...]:
        values = {"own_id": alert_id, "first": position, "most": limit}
        return tuple(self.connection.execute(_MEMBERS_SINCE, values).scalars())

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
        own = {"own_id": alert_id}
        parts = {row[0]: row[1] for row in self.connection.execute(_UNCOUNTED, own)}
        if parts:
            self.connection.execute(_TAKE_PARTS, own)
        return parts

    @override
    def count_members(self, alert_id: str) -> int:
        return self.connection.execute(_COUNT_MEMBERS, {"own_id": alert_id}).scalar_one()
