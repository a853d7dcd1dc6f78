"""Which notifications a receiver gets, and the resolving message for a receiver that never gets the firing one."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, not_, select, update

from alertworker.alerts.compose import fired_and_resolved
from alertworker.alerts.message import Step
from alertworker.alerts.stored import StoredReader
from alertworker.delivery.retry import SHADOWED
from alertworker.delivery.status import UNDELIVERED, NotificationStatus
from alertworker.ports.admin import NotificationRow
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.upsert import Statements


def delivered(*, shadow: bool = False) -> ColumnElement[bool]:
    """Select notifications that a receiver has or will get, by themselves or in a digest.

    Messages suppressed by ``shadow`` are left out, except while it is on.
    """
    digest = NOTIFICATIONS.alias("digest")
    own = _kept_back(NOTIFICATIONS, shadow=shadow)
    into = and_(digest.c.id == NOTIFICATIONS.c.merged_into, _kept_back(digest, shadow=shadow))
    return and_(not_(own), ~select(digest.c.id).where(into).exists())


def _kept_back(table: FromClause, *, shadow: bool) -> ColumnElement[bool]:
    lost: ColumnElement[bool] = table.c.status.in_(UNDELIVERED)
    return lost if shadow else lost | table.c.answer.is_not_distinct_from(SHADOWED)


def fold_into_resolve(tx: Statements, dead: NotificationRow) -> None:
    """Include the firing in the waiting resolving message of a condition, if the firing message is never sent."""
    merged = select(NOTIFICATIONS.c.alert_id).where(NOTIFICATIONS.c.merged_into == dead.id)
    waiting = select(NOTIFICATIONS).where(
        NOTIFICATIONS.c.channel == dead.channel,
        NOTIFICATIONS.c.status == NotificationStatus.PENDING,
        NOTIFICATIONS.c.body.is_(None),
        NOTIFICATIONS.c.step.startswith(f"{Step.RESOLVED}:"),
        (NOTIFICATIONS.c.alert_id == dead.alert_id) | NOTIFICATIONS.c.alert_id.in_(merged),
    )
    for end in tx.connection.execute(waiting).all():
        others = select(NOTIFICATIONS.c.id).where(
            NOTIFICATIONS.c.alert_id == end.alert_id,
            NOTIFICATIONS.c.channel == end.channel,
            NOTIFICATIONS.c.id != end.id,
            delivered(),
        )
        if tx.connection.execute(others.limit(1)).first() is None:
            message = fired_and_resolved(StoredReader().message(end.message))
            own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == end.id)
            tx.connection.execute(own.values(message=message.model_dump_json()))
