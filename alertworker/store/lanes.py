"""The lanes' statements: who works on one, what is next in it, and what came of an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Exists, Update, and_, delete, select, update

from alertworker.delivery import DeliveryError, RetryAt
from alertworker.lanes import Plan, Waiting
from alertworker.messages import TEST_RESOLVED, Message, Step
from alertworker.ports import Answer, Due, Lease, Pace
from alertworker.store.database import Database
from alertworker.store.statements import insert_or
from alertworker.store.tables import ATTACHMENTS, ATTEMPTS, LANES, NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction
from alertworker.tables import Attachment

#: The order of a lane, as its index has it.
_ORDER: Final = (NOTIFICATIONS.c.turn, NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.id)
_SETTLED: Final = ("sent", "dead", "dropped", "merged")


class LaneStore(Database):
    """What delivering needs. Every method is one short transaction."""

    def lease_lane(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Take a channel's lane in one statement; false while another worker has it or it must pause."""
        ahead = now + timedelta(seconds=pace.interval * (pace.burst - 1))

        def work(tx: SqlTransaction) -> bool:
            row = {"channel": lease.channel, "token": lease.token, "leased_until": until, "next_free_at": now}
            statement = insert_or(tx.connection, LANES).values(row)
            taken = statement.on_conflict_do_update(
                index_elements=["channel"],
                set_={"token": lease.token, "leased_until": until},
                where=and_(
                    (LANES.c.leased_until <= now) | (LANES.c.token == lease.token),
                    LANES.c.next_free_at <= now,
                    LANES.c.paced_until.is_(None) | (LANES.c.paced_until <= ahead),
                ),
            ).returning(LANES.c.token)
            return tx.connection.execute(taken).scalar() == lease.token

        return self.run(work)

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Give what is due in a lane and was never attempted, in the lane's order."""
        statement = (
            select(NOTIFICATIONS)
            .where(_untouched(channel), NOTIFICATIONS.c.next_attempt_at <= now, ~_behind(channel, attempted=True))
            .order_by(*_ORDER)
            .limit(limit)
        )
        rows = self.run(lambda tx: tx.connection.execute(statement).all())
        return [Waiting(row.id, Message.model_validate_json(row.message), row.created_at) for row in rows]

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan, for those notifications that are still as they were."""
        self.run(lambda tx: merge(tx, channel, plan, now=now))

    def next_due(self, channel: str, *, limit: int, now: datetime) -> list[Due]:
        """Give the lane's next notifications in order, messages of one alert one after the other."""
        statement = (
            select(NOTIFICATIONS)
            .where(
                NOTIFICATIONS.c.channel == channel,
                NOTIFICATIONS.c.status == "pending",
                NOTIFICATIONS.c.next_attempt_at <= now,
                ~_behind(channel),
            )
            .order_by(*_ORDER)
            .limit(limit)
        )
        return self.run(lambda tx: [_due(tx, row) for row in tx.connection.execute(statement).all()])

    def begin(self, bodies: Mapping[str, str], lease: Lease, *, pace: Pace, now: datetime) -> bool:
        """Keep the bodies before an attempt, and count it against the lane's pace; false without the lane."""

        def work(tx: SqlTransaction) -> bool:
            lane = _lane(tx, lease)
            if lane is None or lane.leased_until <= now:
                return False
            until = max(lane.paced_until or now, now) + timedelta(seconds=pace.interval * len(bodies))
            tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(paced_until=until))
            for notification_id, body in sorted(bodies.items()):
                tx.connection.execute(_pending(notification_id).values(body=body))
            return True

        return self.run(work)

    def settle_sent(self, answers: Mapping[str, Answer], lease: Lease, *, longest: float, now: datetime) -> bool:
        """Record that the receiver has these; true while the channel is announced as broken, though it is well again.

        What the receiver has is sent, and what it said of its pace holds, whoever has the lane by now.
        """
        busy_for = min(longest, max(answer.busy_for for answer in answers.values()))

        def work(tx: SqlTransaction) -> bool:
            own = LANES.c.channel == lease.channel
            lane = tx.connection.execute(select(LANES).where(own).with_for_update()).one()
            free = max(lane.next_free_at, now + timedelta(seconds=busy_for)) if busy_for else lane.next_free_at
            tx.connection.execute(update(LANES).where(own).values(failing_since=None, next_free_at=free))
            told = dict(sorted(answers.items()))
            for notification_id in _forget_tracked(tx, told):
                del told[notification_id]
            for notification_id, answer in told.items():
                sent = {"status": "sent", "settled_at": now, "answer": answer.text[:500], "reason": None}
                tx.connection.execute(_pending(notification_id).values(sent))
                _attempted(tx, notification_id, "sent", answer.text, now=now)
            return lane.broken_at is not None

        return self.run(work)

    def settle_retry(
        self, notification_id: str, lease: Lease, *, error: DeliveryError, verdict: RetryAt, now: datetime
    ) -> datetime:
        """Record when to try again; a lane that must pause takes its other messages with it."""

        def work(tx: SqlTransaction) -> datetime:
            lane = _lane(tx, lease)
            _attempted(tx, notification_id, error.reason, str(error), now=now)
            tx.count("delivery_retries", error.reason)
            if lane is None:
                return now
            values: dict[str, Any] = {"failing_since": lane.failing_since or now}
            if verdict.pauses_lane:
                values["next_free_at"] = verdict.at
            tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(values))
            attempts = NOTIFICATIONS.c.attempts + int(verdict.counts)
            again = {"next_attempt_at": verdict.at, "reason": error.reason, "attempts": attempts}
            tx.connection.execute(_pending(notification_id).values(again))
            return lane.failing_since or now

        return self.run(work)

    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts; a test leaves none."""

        def work(tx: SqlTransaction) -> None:
            lane = _lane(tx, lease)
            _attempted(tx, notification_id, reason, answer, now=now)
            dead = _pending(notification_id).values(status="dead", settled_at=now, reason=reason, answer=answer[:500])
            row = tx.connection.execute(dead.returning(NOTIFICATIONS)).first() if lane else None
            if row is not None and row.step not in (Step.TEST.value, TEST_RESOLVED):
                tx.dead_letter(
                    "notification",
                    f"{reason}: {lease.channel} {answer}",
                    row.message.encode(),
                    batch_id=notification_id,
                    position=None,
                    channel=lease.channel,
                    now=now,
                )

        self.run(work)

    def release_lane(self, lease: Lease, *, now: datetime) -> None:
        """Give the lane back."""
        statement = (
            update(LANES)
            .where(LANES.c.channel == lease.channel, LANES.c.token == lease.token)
            .values(token=None, leased_until=now - timedelta(seconds=1))
        )
        self.run(lambda tx: tx.connection.execute(statement))


def _lane(tx: SqlTransaction, lease: Lease) -> Any:
    """Give the lane's row, locked; ``None`` where another worker has taken it over."""
    own = select(LANES).where(LANES.c.channel == lease.channel, LANES.c.token == lease.token)
    return tx.connection.execute(own.with_for_update()).first()


def _due(tx: SqlTransaction, row: Any) -> Due:
    """Give a notification whose turn it is, with the files that it has and that no row of a message carries."""
    message = Message.model_validate_json(row.message)
    if message.tables and row.body is None:
        message = message.model_copy(update={"attachments": _attachments(tx, row.alert_id)})
    return Due(row.id, message, row.body, row.attempts, row.created_at)


def _attachments(tx: SqlTransaction, alert_id: str) -> tuple[Attachment, ...]:
    columns = (ATTACHMENTS.c.name, ATTACHMENTS.c.media_type, ATTACHMENTS.c.content)
    own = select(*columns).where(ATTACHMENTS.c.alert_id == alert_id).order_by(ATTACHMENTS.c.name)
    return tuple(Attachment.model_validate(row._asdict()) for row in tx.connection.execute(own))


def _pending(notification_id: str) -> Update:
    """Change a notification that is not settled: what is settled stays so."""
    return update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id, NOTIFICATIONS.c.status == "pending")


def _forget_tracked(tx: SqlTransaction, ids: Iterable[str]) -> list[str]:
    """Forget what a customer's call has cost, now that it was told: there is one of these for every call."""
    sent = and_(NOTIFICATIONS.c.id.in_(ids), NOTIFICATIONS.c.step == Step.TRACKED.value)
    gone = list(tx.connection.execute(delete(NOTIFICATIONS).where(sent).returning(NOTIFICATIONS.c.id)).scalars())
    if gone:
        tx.connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.notification_id.in_(gone)))
        tx.count("spend_tracked", "sent", len(gone))
    return gone


def _untouched(channel: str) -> ColumnElement[bool]:
    """Select what was never attempted: only that may still be merged."""
    return and_(NOTIFICATIONS.c.channel == channel, NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.body.is_(None))


def _behind(channel: str, *, attempted: bool = False) -> Exists:
    """Select what must wait for an earlier message of its alert; with ``attempted`` only for one that is sealed.

    A message that was merged waits with the digest that tells it.
    """
    earlier, digest = NOTIFICATIONS.alias("earlier"), NOTIFICATIONS.alias("digest")
    unsent = select(digest.c.id).where(digest.c.id == earlier.c.merged_into, digest.c.status == "pending").exists()
    in_a_digest = and_(earlier.c.status == "merged", earlier.c.merged_into != NOTIFICATIONS.c.id, unsent)
    # Not by equality: the only index for this is the alert's, and a planner without statistics would take the lane's.
    pending = earlier.c.status.not_in(_SETTLED)
    return (
        select(earlier.c.id)
        .where(
            earlier.c.alert_id == NOTIFICATIONS.c.alert_id,
            earlier.c.channel == channel,
            (and_(pending, earlier.c.body.is_not(None)) if attempted else pending) | in_a_digest,
            earlier.c.created_at < NOTIFICATIONS.c.created_at,
        )
        .exists()
    )


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
