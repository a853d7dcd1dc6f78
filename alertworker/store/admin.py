"""The store for commands and pages: alerts, silences, notifications, budgets, publishers and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, select, update

from alertworker.budgets.readings import BudgetKey
from alertworker.budgets.state import BudgetState
from alertworker.ledger.time_zone import ZoneChange
from alertworker.ports.admin import AttemptRow, IdRow, NotificationRow, Occurrences, PublisherRow
from alertworker.ports.batches import CounterName
from alertworker.routing.silences import Silence
from alertworker.store.alert_search import AlertSearch
from alertworker.store.budgets import read_budget
from alertworker.store.connection import ConnectionRunner, columns_of
from alertworker.store.delivery.dead_letters import DeadLetters
from alertworker.store.ledger.time_zone import TimeZoneStatements
from alertworker.store.processes import ProcessStore
from alertworker.store.schema.alerts import ALERTS, MEMBERS, OPEN, PARTS, SILENCES
from alertworker.store.schema.budgets import BUDGETS, LIVE
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.publishers import ENDED_AT, PUBLISHERS, RUNNING
from alertworker.store.silences import read_silence
from alertworker.store.transaction import SqlTransaction
from alertworker.text.ids import IdKind

_T = TypeVar("_T")
#: How many publishers that were stopped or lost are shown. Each restart of a proxy leaves one.
_ENDED_PUBLISHERS: Final = 200
_NOTIFICATION: Final = select(*columns_of(NotificationRow, NOTIFICATIONS))
#: The column of each kind of id, the column that describes the row, and the row's time.
_IDS: Final = {
    IdKind.ALERT: (ALERTS.c.id, ALERTS.c.headline, ALERTS.c.opened_at),
    IdKind.NOTIFICATION: (NOTIFICATIONS.c.id, NOTIFICATIONS.c.channel, NOTIFICATIONS.c.created_at),
    IdKind.SILENCE: (SILENCES.c.id, SILENCES.c.reason, SILENCES.c.created_at),
    IdKind.DEAD_LETTER: (DEAD_LETTERS.c.id, DEAD_LETTERS.c.reason, DEAD_LETTERS.c.created_at),
}


class AdminStore(ConnectionRunner):
    """The store as commands and pages see it; the pipeline needs none of it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.alerts = AlertSearch(engine)
        self.dead_letters = DeadLetters(engine)
        self.processes = ProcessStore(engine)

    def ledger_zone(self) -> tuple[str | None, ZoneChange | None]:
        """Return the time zone in which days begin, ``None`` before the first sweep, and its last change."""

        def work(connection: Connection) -> tuple[str | None, ZoneChange | None]:
            zones = TimeZoneStatements(connection)
            return zones.zone(), zones.last_zone_change()

        return self.read_on_connection(work)

    def in_transaction(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work, which only reads."""
        return self.read_on_connection(lambda connection: work(SqlTransaction(connection)))

    def count(self, name: CounterName, counted: Mapping[str, int]) -> None:
        """Add counts by reason to a counter."""

        def work(connection: Connection) -> None:
            transaction = SqlTransaction(connection)
            for reason in sorted(counted):
                transaction.count(name, reason, counted[reason])

        self.on_connection(work)

    def find_ids(self, kind: IdKind, prefix: str, *, limit: int) -> Sequence[IdRow]:
        """Return the ids of a kind that begin with ``prefix``, newest first; only the id itself if it exists."""
        ids, text, at = _IDS[kind]
        found = select(ids.label("id"), text.label("text"))
        exact = self.rows(IdRow, found.where(ids == prefix))
        begins = ids.startswith(prefix, autoescape=True)
        return exact or self.rows(IdRow, found.where(begins).order_by(at.desc(), ids).limit(limit))

    def occurrences(self, alert_id: str) -> Occurrences:
        """Return the occurrences of an alert that are kept by name, and the counts of all."""
        members = select(MEMBERS.c.member).where(MEMBERS.c.alert_id == alert_id).order_by(MEMBERS.c.position)
        parts = select(PARTS.c.part, PARTS.c.count).where(PARTS.c.alert_id == alert_id).order_by(PARTS.c.count.desc())

        def work(connection: Connection) -> Occurrences:
            counts = {row[0]: row[1] for row in connection.execute(parts)}
            return Occurrences(list(connection.execute(members).scalars()), counts)

        return self.read_on_connection(work)

    def publishers(self) -> Sequence[PublisherRow]:
        """Return publishers with what they counted, by host and process: all that run, and those that ended last."""
        columns = columns_of(PublisherRow, PUBLISHERS)
        ended = select(*columns).where(ENDED_AT.is_not(None)).order_by(ENDED_AT.desc()).limit(_ENDED_PUBLISHERS)
        found = [row for some in (select(*columns).where(RUNNING), ended) for row in self.rows(PublisherRow, some)]
        return sorted(found, key=lambda row: (row.host, row.pid))

    def budgets(self, *, ended: int = 100) -> list[tuple[BudgetKey, BudgetState]]:
        """Return budgets by scope and entity: all live ones, and those whose period ended last."""
        over = select(BUDGETS).where(BUDGETS.c.closed.is_(True)).order_by(BUDGETS.c.reset_at.desc()).limit(ended)

        def work(connection: Connection) -> list[tuple[BudgetKey, BudgetState]]:
            statements = (select(BUDGETS).where(LIVE), over)
            rows = [row for some in statements for row in connection.execute(some).mappings()]
            return [read_budget(row) for row in sorted(rows, key=lambda row: (row["scope"], row["entity"]))]

        return self.read_on_connection(work)

    def acknowledge(self, alert_id: str, *, by: str, note: str, now: datetime) -> bool:
        """Stop an open condition's reminders; return false if no alert with this id is open."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, OPEN)
        values = {"acked_at": now, "acked_by": by, "ack_note": note, "repeat_at": None}
        return self.on_connection(lambda connection: connection.execute(statement.values(values)).rowcount == 1)

    def notifications(
        self,
        *,
        alert_id: str | None = None,
        channel: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        merged_into: str | None = None,
        limit: int = 100,
    ) -> Sequence[NotificationRow]:
        """Return notifications, newest first; ``since`` is the earliest time at which they were written."""
        statement = _NOTIFICATION.order_by(NOTIFICATIONS.c.id.desc()).limit(limit)
        asked = {"alert_id": alert_id, "channel": channel, "status": status, "merged_into": merged_into}
        statement = statement.where(*(NOTIFICATIONS.c[name] == value for name, value in asked.items() if value))
        if since:
            statement = statement.where(NOTIFICATIONS.c.created_at >= since)
        return self.rows(NotificationRow, statement)

    def notification(self, notification_id: str) -> NotificationRow | None:
        """Return one notification, ``None`` if there is none with this id."""
        statement = _NOTIFICATION.where(NOTIFICATIONS.c.id == notification_id)
        return next(iter(self.rows(NotificationRow, statement)), None)

    def attempts(self, notification_id: str) -> Sequence[AttemptRow]:
        """Return the attempts of a notification in order."""
        statement = select(*columns_of(AttemptRow, ATTEMPTS)).where(ATTEMPTS.c.notification_id == notification_id)
        return self.rows(AttemptRow, statement.order_by(ATTEMPTS.c.at))

    def add_silence(self, silence: Silence, *, now: datetime) -> None:
        """Store a silence."""
        row = {
            "id": silence.id,
            "matchers": [str(matcher) for matcher in silence.matchers],
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "author": silence.author,
            "reason": silence.reason,
            "created_at": now,
        }
        self.on_connection(lambda connection: connection.execute(SILENCES.insert().values(row)))

    def silence(self, silence_id: str) -> Silence | None:
        """Return one silence, ``None`` if there is none with this id."""
        statement = select(SILENCES).where(SILENCES.c.id == silence_id)
        return self.read_on_connection(
            lambda connection: next(map(read_silence, connection.execute(statement).mappings()), None)
        )

    def silences(self, *, now: datetime | None) -> list[Silence]:
        """Return the silences that have not ended, by their end; without ``now`` all that are stored."""
        statement = select(SILENCES).order_by(SILENCES.c.ends_at)
        if now is not None:
            statement = statement.where(SILENCES.c.ends_at > now)
        return self.read_on_connection(
            lambda connection: [read_silence(row) for row in connection.execute(statement).mappings()]
        )

    def expire_silence(self, silence_id: str, *, now: datetime) -> bool:
        """End a silence now; return false if it has ended or does not exist."""
        statement = update(SILENCES).where(SILENCES.c.id == silence_id, SILENCES.c.ends_at > now)
        return self.on_connection(lambda connection: connection.execute(statement.values(ends_at=now)).rowcount == 1)
