"""The lanes' statements: who works on one, when it may go on, and what came of an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Exists, Update, and_, delete, select, update

from alertworker.alerts.message import TEST_RESOLVED, Step
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason, RetryAt
from alertworker.ports import Lease, Turn
from alertworker.store.delivery.delivered import tell_whole
from alertworker.store.delivery.partial import REST, add_rest, is_rest
from alertworker.store.delivery.queue import QueueStore
from alertworker.store.schema.delivery import ATTEMPTS, LANES, NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction
from alertworker.store.upsert import insert_or
from alertworker.text.shorten import shorten

#: How many notifications are given up in one transaction.
_EXPIRED_AT_ONCE: Final = 100
#: How much of a receiver's answer is kept, in characters.
_MAX_ANSWER: Final = 500


class LaneStore(QueueStore):
    """What delivering needs. Every method is one short transaction."""

    def lease_lane(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> Turn | None:
        """Take a channel's lane in one statement; ``None`` while another worker has it or it must pause.

        What goes before all that waits goes also while the lane pauses for its failures.
        """
        ahead = now + timedelta(seconds=pace.interval * (pace.burst - 1))
        mine = {"token": lease.token, "leased_until": until}
        urgent = _urgent(lease.channel, now)

        def work(tx: SqlTransaction) -> Turn | None:
            row = {"channel": lease.channel, "next_free_at": now, "failures": 0, **mine}
            statement = insert_or(tx.connection, LANES).values(row)
            taken = statement.on_conflict_do_update(
                index_elements=["channel"],
                set_=mine,
                where=and_(
                    (LANES.c.leased_until <= now) | (LANES.c.token == lease.token),
                    LANES.c.next_free_at <= now,
                    LANES.c.paced_until.is_(None) | (LANES.c.paced_until <= ahead),
                    LANES.c.probe_at.is_(None) | (LANES.c.probe_at <= now) | urgent,
                ),
            ).returning(LANES)
            lane = tx.connection.execute(taken).first()
            if lane is None:
                return None
            probe = lane.probe_at is not None and not tx.connection.execute(select(urgent)).scalar()
            return Turn(lane.failures, probe)

        return self.run(work)

    def begin(self, bodies: Mapping[str, str], lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Keep the bodies before an attempt, count it against the lane's pace, and renew the lease.

        False without the lane.
        """

        def work(tx: SqlTransaction) -> bool:
            lane = _lane(tx, lease)
            if lane is None or lane.leased_until <= now:
                return False
            paced = max(lane.paced_until or now, now) + timedelta(seconds=pace.interval * len(bodies))
            values = {"paced_until": paced, "leased_until": until}
            tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(values))
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
            well = {"failing_since": None, "failures": 0, "probe_at": None, "next_free_at": free}
            tx.connection.execute(update(LANES).where(own).values(well))
            told = dict(sorted(answers.items()))
            for notification_id in _forget_tracked(tx, told):
                del told[notification_id]
            for notification_id, answer in told.items():
                sent = {
                    "status": "sent",
                    "settled_at": now,
                    "answer": shorten(answer.text, _MAX_ANSWER),
                    "reason": None,
                }
                row = tx.connection.execute(_pending(notification_id).values(sent).returning(NOTIFICATIONS)).first()
                if answer.rest is not None and row is not None and row.step != Step.TEST.value:
                    add_rest(tx, row, answer.rest, now=now)
                _attempted(tx, notification_id, "sent", answer.text, now=now)
            return lane.broken_at is not None

        return self.run(work)

    def settle_retry(
        self, notification_id: str, lease: Lease, *, error: DeliveryError, verdict: RetryAt, now: datetime
    ) -> datetime:
        """Record when to try again; a lane that must pause takes its other messages with it.

        One message steps aside. Where another one failed before, and nothing succeeded since, the lane pauses. What
        only some recipients have not got yet says nothing of the lane.
        """

        def work(tx: SqlTransaction) -> datetime:
            lane = _lane(tx, lease)
            _attempted(tx, notification_id, error.reason, str(error), now=now)
            tx.count("delivery_retries", error.reason)
            if lane is None:
                return now
            since, at = now, verdict.at
            if not is_rest(tx, notification_id):
                probe_at = verdict.probe_at if _another_tried(tx, notification_id, lease.channel) else None
                since, at = lane.failing_since or now, probe_at or at
                values: dict[str, Any] = {"failing_since": since, "failures": verdict.in_a_row, "probe_at": probe_at}
                if verdict.pauses_lane:
                    values["next_free_at"] = verdict.at
                tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(values))
            attempts = NOTIFICATIONS.c.attempts + int(verdict.counts)
            again = {"next_attempt_at": at, "reason": error.reason, "attempts": attempts}
            tx.connection.execute(_pending(notification_id).values(again))
            return since

        return self.run(work)

    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts; a test leaves none."""

        def work(tx: SqlTransaction) -> None:
            lane = _lane(tx, lease)
            _attempted(tx, notification_id, reason, answer, now=now)
            if lane is not None:
                _let_go(tx, notification_id, lease.channel, reason=reason, answer=answer, now=now)

        self.run(work)

    def expire(self, lease: Lease, *, before: datetime, answer: str, now: datetime) -> None:
        """Give up what has waited in a lane since ``before``, attempted or not; some of it where it is much."""
        old = (
            select(NOTIFICATIONS.c.id)
            .where(
                NOTIFICATIONS.c.channel == lease.channel,
                NOTIFICATIONS.c.status == "pending",
                NOTIFICATIONS.c.created_at < before,
            )
            .order_by(NOTIFICATIONS.c.turn, NOTIFICATIONS.c.created_at)
            .limit(_EXPIRED_AT_ONCE)
        )

        def work(tx: SqlTransaction) -> None:
            ids = tx.connection.execute(old).scalars().all() if _lane(tx, lease) is not None else ()
            for notification_id in ids:
                _let_go(tx, notification_id, lease.channel, reason=Reason.EXPIRED, answer=answer, now=now)

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


def _urgent(channel: str, now: datetime) -> Exists:
    """Select what goes before all that waits."""
    own = and_(NOTIFICATIONS.c.channel == channel, NOTIFICATIONS.c.status == "pending")
    return (
        select(NOTIFICATIONS.c.id)
        .where(own, NOTIFICATIONS.c.turn == 0, NOTIFICATIONS.c.next_attempt_at <= now)
        .exists()
    )


def _another_tried(tx: SqlTransaction, notification_id: str, channel: str) -> bool:
    """Tell whether another message was attempted, too, and is not through."""
    own = and_(NOTIFICATIONS.c.channel == channel, NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.turn < REST)
    another = select(NOTIFICATIONS.c.id).where(
        own, NOTIFICATIONS.c.body.is_not(None), NOTIFICATIONS.c.id != notification_id
    )
    return bool(tx.connection.execute(select(another.exists())).scalar())


def _let_go(tx: SqlTransaction, notification_id: str, channel: str, *, reason: str, answer: str, now: datetime) -> None:
    """Make a dead letter of what is not settled; of a test none."""
    dead = _pending(notification_id).values(
        status="dead", settled_at=now, reason=reason, answer=shorten(answer, _MAX_ANSWER)
    )
    row = tx.connection.execute(dead.returning(NOTIFICATIONS)).first()
    if row is not None and row.step not in (Step.TEST.value, TEST_RESOLVED):
        tx.dead_letter(
            "notification",
            f"{reason}: {channel} {answer}",
            row.message.encode(),
            batch_id=notification_id,
            position=None,
            channel=channel,
            now=now,
        )
        tell_whole(tx, row)


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


def _attempted(tx: SqlTransaction, notification_id: str, outcome: str, answer: str, *, now: datetime) -> None:
    row = {"notification_id": notification_id, "at": now, "outcome": outcome, "answer": shorten(answer, _MAX_ANSWER)}
    tx.connection.execute(insert_or(tx.connection, ATTEMPTS).values(row).on_conflict_do_nothing())
