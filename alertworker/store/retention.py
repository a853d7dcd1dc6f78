"""Deletes what is past its retention, a piece at a time, so that no transaction is long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Final

from sqlalchemy import ColumnElement, Delete, Table, and_, delete, select, tuple_
from typing_extensions import override

from alertworker.delivery.status import NotificationStatus
from alertworker.ledger.rows import DIMENSIONS
from alertworker.ports import RetentionPort
from alertworker.store.ledger.months import month_of
from alertworker.store.schema.alerts import ALERTS, ATTACHMENTS, MEMBERS, PARTS, SILENCES
from alertworker.store.schema.batches import BATCHES, REDELIVERIES
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.ledger import (
    ALIASES,
    DROPS,
    FALLBACKS,
    LATENCIES,
    LEDGER_START,
    OUTCOMES,
    SPEND,
    SPEND_MONTHS,
    SPEND_SIZES,
)
from alertworker.store.schema.outages import (
    CAUSES,
    CREDENTIALS,
    FAILING_KEYS,
    MODEL_CALLS,
    OUTAGE_CALLS,
    REFUSALS,
    WINDOWS,
)
from alertworker.store.schema.publishers import CALLS, ENDED_AT, PUBLISHERS
from alertworker.store.upsert import Statements, insert_or

#: How many rows of a table of the ledger one transaction deletes.
_LEDGER_PIECE: Final = 5_000
#: How many stopped and lost publishers are kept, the newest ones. Anybody with the key for publishing adds some.
MAX_PUBLISHERS: Final = 5_000


class RetentionStatements(Statements, RetentionPort):
    """Deletes rows in SQL."""

    @override
    def prune(self, *, before: datetime, limit: int) -> bool:
        return self._pieces(
            limit,
            (BATCHES, BATCHES.c.applied_at < before),
            (REDELIVERIES, REDELIVERIES.c.at < before),
            (CALLS, CALLS.c.ended_at < before),
            (BUDGETS, BUDGETS.c.closed.is_(True) & (BUDGETS.c.reset_at < before)),
            (WINDOWS, WINDOWS.c.bucket < int(before.timestamp())),
            (CAUSES, CAUSES.c.bucket < int(before.timestamp())),
            (OUTAGE_CALLS, OUTAGE_CALLS.c.bucket < int(before.timestamp())),
            (MODEL_CALLS, MODEL_CALLS.c.bucket < int(before.timestamp())),
            (FAILING_KEYS, FAILING_KEYS.c.bucket < int(before.timestamp())),
            (REFUSALS, REFUSALS.c.bucket < int(before.timestamp())),
            (CREDENTIALS, _is_unused(before)),
        )

    @override
    def prune_records(self, *, before: datetime, limit: int) -> bool:
        # An open alert resolves on the channels that were notified of it.
        open_ids = select(ALERTS.c.id).where(ALERTS.c.open_fingerprint.is_not(None))
        settled = and_(
            NOTIFICATIONS.c.status != NotificationStatus.PENDING,
            NOTIFICATIONS.c.settled_at < before,
            NOTIFICATIONS.c.alert_id.not_in(open_ids),
        )
        gone = select(NOTIFICATIONS.c.id).where(settled).order_by(NOTIFICATIONS.c.settled_at).limit(limit)
        ids = list(self.connection.execute(gone).scalars())
        for key in (ATTEMPTS.c.notification_id, NOTIFICATIONS.c.id):
            self.connection.execute(delete(key.table).where(key.in_(ids)))
        spoken_of = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == ALERTS.c.id).exists()
        over = (
            select(ALERTS.c.id).where(ALERTS.c.closed_at < before, ~spoken_of).order_by(ALERTS.c.closed_at).limit(limit)
        )
        alerts = list(self.connection.execute(over).scalars())
        for key in (MEMBERS.c.alert_id, PARTS.c.alert_id, ATTACHMENTS.c.alert_id, ALERTS.c.id):
            self.connection.execute(delete(key.table).where(key.in_(alerts)))
        ended = select(PUBLISHERS.c.boot_id).where(ENDED_AT.is_not(None))
        newest = ended.order_by(ENDED_AT.desc(), PUBLISHERS.c.boot_id)
        surplus = newest.offset(MAX_PUBLISHERS).limit(limit).scalar_subquery()
        more = self._pieces(
            limit,
            (DEAD_LETTERS, DEAD_LETTERS.c.created_at < before),
            (SILENCES, SILENCES.c.ends_at < before),
            (PUBLISHERS, before > ENDED_AT),
            (PUBLISHERS, PUBLISHERS.c.boot_id.in_(surplus)),
        )
        return more or limit in (len(ids), len(alerts))

    @override
    def prune_ledger(self, *, before: date) -> bool:
        # Whole months go, and none of them is read from the first piece on: the rest would add up to wrong sums.
        before = month_of(before)
        self.connection.execute(insert_or(self.connection, LEDGER_START).values(month=before).on_conflict_do_nothing())
        self.connection.execute(delete(LEDGER_START).where(LEDGER_START.c.month != before))
        counts = [self.connection.execute(statement).rowcount for statement in _ledger_deletes(before)]
        return _LEDGER_PIECE in counts

    def _pieces(self, limit: int, *pieces: tuple[Table, ColumnElement[bool]]) -> bool:
        counts = [self.connection.execute(statement).rowcount for statement in _deletes(limit, pieces)]
        return limit in counts


def _is_unused(before: datetime) -> ColumnElement[bool]:
    """Return the condition for credentials that were neither accepted nor refused since then."""
    second = int(before.timestamp())
    return (CREDENTIALS.c.level == 0) & (CREDENTIALS.c.last_success < second) & (CREDENTIALS.c.over_until < second)


def _deletes(limit: int, pieces: tuple[tuple[Table, ColumnElement[bool]], ...]) -> Iterator[Delete]:
    for table, old in pieces:
        key = list(table.primary_key)
        yield delete(table).where(tuple_(*key).in_(select(*key).where(old).limit(limit)))


def _ledger_deletes(before: date) -> Iterator[Delete]:
    for table in (SPEND, SPEND_MONTHS, SPEND_SIZES, OUTCOMES, LATENCIES, FALLBACKS, DROPS):
        key = list(table.primary_key)
        old = select(*key).where((table.c.month if "month" in table.c else table.c.day) < before)
        if "dimension" in table.c:  # the key begins with it
            old = old.where(table.c.dimension.in_(DIMENSIONS))
        yield delete(table).where(tuple_(*key).in_(old.limit(_LEDGER_PIECE)))
    key = list(ALIASES.primary_key)
    unseen = select(*key).where(ALIASES.c.last_at < datetime.combine(before, time(), UTC)).limit(_LEDGER_PIECE)
    yield delete(ALIASES).where(tuple_(*key).in_(unseen))
