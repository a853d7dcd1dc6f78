"""The lanes' statements: who works on one, what is next in it, and what came of an attempt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from alertworker.delivery import DeliveryError, RetryAt
from alertworker.lanes import Plan, Waiting
from alertworker.messages import Message, Step
from alertworker.ports import Due, Pace
from alertworker.store.database import Database
from alertworker.store.tables import ATTEMPTS, LANES, NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction, insert_or


class LaneStore(Database):
    """What delivering needs. Every method is one short transaction."""

    def lease_lane(self, channel: str, token: str, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Take a channel's lane in one statement; false while another worker has it or it must pause."""
        ahead = now + timedelta(seconds=pace.interval * (pace.burst - 1))

        def work(tx: SqlTransaction) -> bool:
            row = {"channel": channel, "token": token, "leased_until": until, "next_free_at": now}
            statement = insert_or(tx.connection, LANES).values(row)
            taken = statement.on_conflict_do_update(
                index_elements=["channel"],
                set_={"token": token, "leased_until": until},
                where=and_(
                    (LANES.c.leased_until <= now) | (LANES.c.token == token),
                    LANES.c.next_free_at <= now,
                    LANES.c.paced_until.is_(None) | (LANES.c.paced_until <= ahead),
                ),
            ).returning(LANES.c.token)
            return tx.connection.execute(taken).scalar() == token

        return self.run(work)

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Give what is due in a lane and was never attempted, in the lane's order."""
        statement = (
            select(NOTIFICATIONS)
            .where(_untouched(channel), NOTIFICATIONS.c.next_attempt_at <= now)
            .order_by(NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.id)
            .limit(limit)
        )
        rows = self.run(lambda tx: tx.connection.execute(statement).all())
        return [Waiting(row.id, Message.model_validate_json(row.message), row.created_at) for row in rows]

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan, for those notifications that are still as they were."""
        self.run(lambda tx: merge(tx, channel, plan, now=now))

    def next_due(self, channel: str, token: str, *, now: datetime) -> Due | None:
        """Give the lane's next notification in order, messages of one alert one after the other."""
        del token
        earlier = NOTIFICATIONS.alias("earlier")
        digest = NOTIFICATIONS.alias("digest")
        unsent = select(digest.c.id).where(digest.c.channel == channel, digest.c.status == "pending")
        waits_with_another = and_(
            earlier.c.status == "merged",
            earlier.c.merged_into.in_(unsent),
            earlier.c.merged_into != NOTIFICATIONS.c.id,
        )
        waits_for_earlier = (
            select(earlier.c.id)
            .where(
                earlier.c.alert_id == NOTIFICATIONS.c.alert_id,
                earlier.c.channel == channel,
                (earlier.c.status == "pending") | waits_with_another,
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
            .order_by(NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.id)
            .limit(1)
        )
        row = self.run(lambda tx: tx.connection.execute(statement).first())
        if row is None:
            return None
        message = Message.model_validate_json(row.message)
        return Due(row.id, message, row.body, row.attempts, row.created_at)

    def begin(self, notification_id: str, body: str, channel: str, *, pace: Pace, now: datetime) -> None:
        """Keep the body before an attempt, and count the attempt against the lane's pace."""

        def work(tx: SqlTransaction) -> None:
            lane = select(LANES.c.paced_until).where(LANES.c.channel == channel)
            paced = tx.connection.execute(lane.with_for_update()).scalar() or now
            until = max(paced, now) + timedelta(seconds=pace.interval)
            tx.connection.execute(update(LANES).where(LANES.c.channel == channel).values(paced_until=until))
            own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id)
            tx.connection.execute(own.values(body=body))

        self.run(work)

    def settle_sent(self, notification_id: str, channel: str, answer: str, *, now: datetime) -> bool:
        """Record that the receiver has it; true when the channel was announced as broken, and is well again."""

        def work(tx: SqlTransaction) -> bool:
            lane = LANES.c.channel == channel
            broken = tx.connection.execute(select(LANES.c.broken_at).where(lane).with_for_update()).scalar()
            tx.connection.execute(update(LANES).where(lane).values(failing_since=None, broken_at=None))
            own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id)
            tx.connection.execute(own.values(status="sent", settled_at=now, answer=answer[:500], reason=None))
            _attempted(tx, notification_id, "sent", answer, now=now)
            return broken is not None

        return self.run(work)

    def settle_retry(
        self, notification_id: str, channel: str, *, error: DeliveryError, verdict: RetryAt, now: datetime
    ) -> datetime:
        """Record when to try again; a lane that must pause takes its other messages with it."""

        def work(tx: SqlTransaction) -> datetime:
            lane = LANES.c.channel == channel
            since = tx.connection.execute(select(LANES.c.failing_since).where(lane).with_for_update()).scalar() or now
            values: dict[str, Any] = {"failing_since": since}
            if verdict.pauses_lane:
                values["next_free_at"] = verdict.at
            tx.connection.execute(update(LANES).where(lane).values(values))
            own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id)
            attempts = NOTIFICATIONS.c.attempts + int(verdict.counts)
            tx.connection.execute(own.values(next_attempt_at=verdict.at, reason=error.reason, attempts=attempts))
            _attempted(tx, notification_id, error.reason, str(error), now=now)
            tx.count("delivery_retries", error.reason)
            return since

        return self.run(work)

    def settle_dead(self, notification_id: str, channel: str, *, reason: str, answer: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts."""

        def work(tx: SqlTransaction) -> None:
            own = NOTIFICATIONS.c.id == notification_id
            tx.connection.execute(
                update(NOTIFICATIONS).where(own).values(status="dead", settled_at=now, reason=reason, answer=answer)
            )
            _attempted(tx, notification_id, reason, answer, now=now)
            message = tx.connection.execute(select(NOTIFICATIONS.c.message).where(own)).scalar_one()
            why = f"{reason}: {channel} {answer}"
            tx.dead_letter("notification", why, message.encode(), batch_id=notification_id, position=0, now=now)

        self.run(work)

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Note that a channel's trouble is to be announced; false when it was before."""
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_(None)).values(broken_at=now)
        return self.run(lambda tx: tx.connection.execute(statement).rowcount == 1)

    def release_lane(self, channel: str, token: str, *, now: datetime) -> None:
        """Give the lane back."""
        statement = (
            update(LANES)
            .where(LANES.c.channel == channel, LANES.c.token == token)
            .values(token=None, leased_until=now - timedelta(seconds=1))
        )
        self.run(lambda tx: tx.connection.execute(statement))


def _untouched(channel: str) -> ColumnElement[bool]:
    """Select what was never attempted: only that may still be merged."""
    return and_(NOTIFICATIONS.c.channel == channel, NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.body.is_(None))


def _attempted(tx: SqlTransaction, notification_id: str, outcome: str, answer: str, *, now: datetime) -> None:
    row = {"notification_id": notification_id, "at": now, "outcome": outcome, "answer": answer[:500]}
    tx.connection.execute(insert_or(tx.connection, ATTEMPTS).values(row).on_conflict_do_nothing())


def merge(tx: SqlTransaction, channel: str, plan: Plan, *, now: datetime) -> None:
    """Carry out a plan; its lane is leased, so nobody else attempts what it names."""

    def change(ids: Iterable[str], **values: Any) -> None:
        where = and_(NOTIFICATIONS.c.id.in_(sorted(ids)), _untouched(channel))
        tx.connection.execute(update(NOTIFICATIONS).where(where).values(values))

    change(plan.dropped, status="dropped", settled_at=now, reason="stale")
    tx.count("dropped", "stale_reminder", len(plan.dropped))
    for notification_id, message in plan.replaced.items():
        change([notification_id], message=message.model_dump_json())
        into = [own for own, other in plan.absorbed.items() if other == notification_id]
        change(into, status="merged", settled_at=now, merged_into=notification_id)
    tx.count("merged", "passed", len(plan.absorbed))
    if plan.digest is not None:
        # It goes before everything that is left: it is older than that.
        tx.notify(plan.digest, Step.DIGEST.value, [channel], now=plan.digest.since - timedelta(microseconds=1))
        own = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == plan.digest.alert_id)
        change(plan.digested, status="merged", settled_at=now, merged_into=tx.connection.execute(own).scalar_one())
        tx.count("merged", "digest", len(plan.digested))
