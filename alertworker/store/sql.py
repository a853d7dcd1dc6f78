"""The store on SQLAlchemy Core: transactions, reruns, and the lanes' statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, and_, func, select, update
from sqlalchemy.exc import DBAPIError

from alertworker.errors import StoreUnavailable
from alertworker.messages import Message
from alertworker.ports import Due
from alertworker.store.engine import classify, explain
from alertworker.store.tables import ALERTS, DEAD_LETTERS, LANES, NOTIFICATIONS, REDELIVERIES
from alertworker.store.transaction import SqlTransaction, insert_or

_T = TypeVar("_T")

#: How often a transaction that lost a deadlock is run again before the store counts as unavailable.
_RERUNS = 5


class Rerun(Exception):
    """The database chose this transaction to give way."""


class SqlStore:
    """One database. Every public method is one short transaction, or opens one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; database errors leave as `StoreUnavailable` or `Rerun`, all else as it is."""
        try:
            with self.engine.begin() as connection:
                yield SqlTransaction(connection)
        except DBAPIError as error:
            verdict = classify(error)
            if verdict == "rerun":
                raise Rerun from error
            if verdict == "unavailable":
                raise StoreUnavailable(explain(error)) from error
            raise

    def run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Do the work in one transaction, again from the start where a deadlock took it."""
        for _ in range(_RERUNS):
            try:
                with self.transaction() as tx:
                    return work(tx)
            except Rerun:
                continue
        raise StoreUnavailable("the database kept choosing this transaction to give way")

    def count_redelivery(self, batch_id: str) -> int:
        """Count that a batch came again; gives how often it did by now."""

        def work(tx: SqlTransaction) -> int:
            statement = insert_or(tx.connection, REDELIVERIES).values(batch_id=batch_id, times=1)
            counted = statement.on_conflict_do_update(
                index_elements=["batch_id"], set_={"times": REDELIVERIES.c.times + 1}
            ).returning(REDELIVERIES.c.times)
            return int(tx.connection.execute(counted).scalar_one())

        return self.run(work)

    def due_channels(self, *, now: datetime) -> list[str]:
        """Name the channels with something due whose lane is free."""
        busy = select(LANES.c.channel).where((LANES.c.leased_until > now) | (LANES.c.next_free_at > now))
        statement = (
            select(NOTIFICATIONS.c.channel)
            .where(NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.next_attempt_at <= now)
            .where(NOTIFICATIONS.c.channel.not_in(busy))
            .distinct()
        )
        return self.run(lambda tx: [row.channel for row in tx.connection.execute(statement)])

    def lease_lane(self, channel: str, token: str, *, until: datetime, now: datetime) -> bool:
        """Take a channel's lane in one statement; false while another worker has it or it must pause."""

        def work(tx: SqlTransaction) -> bool:
            row = {"channel": channel, "token": token, "leased_until": until, "next_free_at": now}
            statement = insert_or(tx.connection, LANES).values(row)
            taken = statement.on_conflict_do_update(
                index_elements=["channel"],
                set_={"token": token, "leased_until": until},
                where=and_((LANES.c.leased_until <= now) | (LANES.c.token == token), LANES.c.next_free_at <= now),
            ).returning(LANES.c.token)
            return tx.connection.execute(taken).scalar() == token

        return self.run(work)

    def next_due(self, channel: str, token: str, *, now: datetime) -> Due | None:
        """Give the lane's next notification in order, messages of one alert one after the other."""
        del token
        earlier = NOTIFICATIONS.alias("earlier")
        waits_for_earlier = (
            select(earlier.c.id)
            .where(
                earlier.c.alert_id == NOTIFICATIONS.c.alert_id,
                earlier.c.channel == channel,
                earlier.c.status == "pending",
                earlier.c.id < NOTIFICATIONS.c.id,
            )
            .exists()
        )
        statement = (
            select(NOTIFICATIONS)
            .where(
                NOTIFICATIONS.c.channel == channel,
                NOTIFICATIONS.c.status == "pending",
                NOTIFICATIONS.c.next_attempt_at <= now,
                ~waits_for_earlier,
            )
            .order_by(NOTIFICATIONS.c.id)
            .limit(1)
        )
        row = self.run(lambda tx: tx.connection.execute(statement).first())
        if row is None:
            return None
        message = Message.model_validate_json(row.message)
        return Due(row.id, message, row.body, row.attempts, row.created_at)

    def seal(self, notification_id: str, body: str) -> None:
        """Keep the body before its first attempt: from now on the message is what it is."""
        self._update(notification_id, {"body": body})

    def settle_sent(self, notification_id: str, answer: str, *, now: datetime) -> None:
        """Record that the receiver has it."""
        self._update(notification_id, {"status": "sent", "settled_at": now, "answer": answer[:500]})

    def settle_retry(
        self, notification_id: str, channel: str, *, reason: str, at: datetime, counts: bool, pauses_lane: bool
    ) -> None:
        """Record when to try again; a lane that must pause takes its other messages with it."""

        def work(tx: SqlTransaction) -> None:
            tx.connection.execute(
                update(NOTIFICATIONS)
                .where(NOTIFICATIONS.c.id == notification_id)
                .values(next_attempt_at=at, reason=reason, attempts=NOTIFICATIONS.c.attempts + int(counts))
            )
            if pauses_lane:
                tx.connection.execute(update(LANES).where(LANES.c.channel == channel).values(next_free_at=at))
            tx.count("delivery_retries", reason)

        self.run(work)

    def settle_dead(self, notification_id: str, *, reason: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts."""

        def work(tx: SqlTransaction) -> None:
            tx.connection.execute(
                update(NOTIFICATIONS)
                .where(NOTIFICATIONS.c.id == notification_id)
                .values(status="dead", settled_at=now, reason=reason)
            )
            message = tx.connection.execute(
                select(NOTIFICATIONS.c.message).where(NOTIFICATIONS.c.id == notification_id)
            ).scalar_one()
            tx.dead_letter("notification", reason, message.encode(), batch_id=notification_id, position=0, now=now)

        self.run(work)

    def release_lane(self, channel: str, token: str, *, now: datetime) -> None:
        """Give the lane back."""
        statement = (
            update(LANES)
            .where(LANES.c.channel == channel, LANES.c.token == token)
            .values(token=None, leased_until=now - timedelta(seconds=1))
        )
        self.run(lambda tx: tx.connection.execute(statement))

    def dead_letters(self, *, kind: str | None = None, limit: int = 100) -> Sequence[Any]:
        """List dead letters, newest first, with the size of their payloads instead of these."""
        columns = [column for column in DEAD_LETTERS.c if column.name != "payload"]
        statement = select(*columns, func.length(DEAD_LETTERS.c.payload).label("bytes"))
        if kind:
            statement = statement.where(DEAD_LETTERS.c.kind == kind)
        statement = statement.order_by(DEAD_LETTERS.c.created_at.desc()).limit(limit)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def dead_letter_payload(self, letter_id: str) -> bytes | None:
        """Give what one dead letter holds."""
        statement = select(DEAD_LETTERS.c.payload).where(DEAD_LETTERS.c.id == letter_id)
        return self.run(lambda tx: tx.connection.execute(statement).scalar())

    def alerts(self, *, limit: int = 100) -> Sequence[Any]:
        """List alerts, newest first."""
        statement = select(ALERTS).order_by(ALERTS.c.opened_at.desc()).limit(limit)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def _update(self, notification_id: str, values: dict[str, object]) -> None:
        statement = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id).values(values)
        self.run(lambda tx: tx.connection.execute(statement))
