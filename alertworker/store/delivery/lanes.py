"""Lanes in SQL: their leases, their pauses, and the results of attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Executable, Exists, and_, delete, func, select, update
from typing_extensions import override

from alertworker.alerts.message import Step, StepKey
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason, RetryAt
from alertworker.delivery.status import NotificationStatus, StatusChange
from alertworker.delivery.turns import PARTIAL_TURN, URGENT_TURN
from alertworker.ports import LaneState, Lease, Turn
from alertworker.ports.batches import CounterName
from alertworker.ports.lanes import LanePort
from alertworker.store.connection import ConnectionRunner, columns_of, read_rows
from alertworker.store.delivery.changes import PENDING, change_one, record_attempt, record_dead, record_sent
from alertworker.store.delivery.remainders import add_remainder, is_remainder
from alertworker.store.schema.delivery import ATTEMPTS, LANES, NOTIFICATIONS
from alertworker.store.upsert import Statements, insert_or

_T = TypeVar("_T")

#: The maximum number of notifications that one call of `SqlLanes.expire` gives up.
_EXPIRED_AT_ONCE: Final = 100


class SqlLanes(LanePort):
    """Leases of lanes, and the results of attempts. Every method is one short transaction."""

    def __init__(self, database: ConnectionRunner) -> None:
        self._database = database

    def _run(self, work: Callable[[Statements], _T]) -> _T:
        return self._database.on_connection(lambda connection: work(Statements(connection)))

    def _read(self, work: Callable[[Statements], _T]) -> _T:
        return self._database.read_on_connection(lambda connection: work(Statements(connection)))

    @override
    def due_channels(self, *, now: datetime) -> list[str]:
        taken = (LANES.c.leased_until > now) | (LANES.c.next_free_at > now) | (LANES.c.probe_at > now)
        busy = select(LANES.c.channel).where(taken)
        statement = (
            select(NOTIFICATIONS.c.channel)
            .where(PENDING, NOTIFICATIONS.c.next_attempt_at <= now)
            .where(NOTIFICATIONS.c.channel.not_in(busy))
            .distinct()
        )
        return self._read(lambda tx: [row.channel for row in tx.connection.execute(statement)])

    @override
    def states(self, *, now: datetime) -> dict[str, LaneState]:
        count, since = func.count().label("waiting"), func.min(NOTIFICATIONS.c.created_at).label("since")
        waiting = select(NOTIFICATIONS.c.channel, count, since).where(PENDING).group_by(NOTIFICATIONS.c.channel)

        def work(tx: Statements) -> dict[str, LaneState]:
            states = {row.channel: _state(row, now) for row in _lanes(tx, select(*_ROW))}
            for row in tx.connection.execute(waiting):
                state = states.get(row.channel, LaneState(row.channel))
                states[row.channel] = replace(state, waiting=row.waiting, waiting_since=row.since)
            return dict(sorted(states.items()))

        return self._read(work)

    @override
    def lease(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> Turn | None:
        ahead = now + timedelta(seconds=pace.interval * (pace.burst - 1))
        mine = {"token": lease.token, "leased_until": until}
        urgent = _urgent(lease.channel, now)

        def work(tx: Statements) -> Turn | None:
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
            ).returning(*_ROW)
            lane = next(iter(_lanes(tx, taken)), None)
            if lane is None:
                return None
            probe = lane.probe_at is not None and not tx.connection.execute(select(urgent)).scalar()
            return Turn(lane.failures, probe)

        return self._run(work)

    @override
    def begin(self, bodies: Mapping[str, str], lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        def work(tx: Statements) -> bool:
            lane = _lane(tx, lease)
            if lane is None or lane.leased_until <= now:
                return False
            paced = max(lane.paced_until or now, now) + timedelta(seconds=pace.interval * len(bodies))
            values = {"paced_until": paced, "leased_until": until}
            tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(values))
            for notification_id, body in sorted(bodies.items()):
                own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id, PENDING)
                tx.connection.execute(own.values(body=body))
            return True

        return self._run(work)

    @override
    def settle_sent(self, answers: Mapping[str, Answer], lease: Lease, *, longest: float, now: datetime) -> bool:
        busy_for = min(longest, max(answer.busy_for for answer in answers.values()))

        def work(tx: Statements) -> bool:
            own = LANES.c.channel == lease.channel
            (lane,) = _lanes(tx, select(*_ROW).where(own).with_for_update())
            free = max(lane.next_free_at, now + timedelta(seconds=busy_for)) if busy_for else lane.next_free_at
            well = {"failing_since": None, "failures": 0, "probe_at": None, "next_free_at": free}
            tx.connection.execute(update(LANES).where(own).values(well))
            left = dict(sorted(answers.items()))
            for notification_id in _delete_tracked(tx, left):
                del left[notification_id]
            for notification_id, answer in left.items():
                row = record_sent(tx, notification_id, answer.text, now=now)
                if answer.remainder is not None and row is not None and row.step != Step.TEST:
                    add_remainder(tx, row, answer.remainder, now=now)
                record_attempt(tx, notification_id, NotificationStatus.SENT, answer.text, now=now)
            return lane.broken_at is not None

        return self._run(work)

    @override
    def settle_retry(
        self, notification_id: str, lease: Lease, *, error: DeliveryError, verdict: RetryAt, now: datetime
    ) -> datetime:
        def work(tx: Statements) -> datetime:
            lane = _lane(tx, lease)
            record_attempt(tx, notification_id, error.reason, str(error), now=now)
            tx.count(CounterName.DELIVERY_RETRIES, error.reason)
            if lane is None:
                return now
            since, at = now, verdict.at
            if not is_remainder(tx, notification_id):
                probe_at = verdict.probe_at if _other_attempted(tx, notification_id, lease.channel) else None
                since, at = lane.failing_since or now, probe_at or at
                values: dict[str, object] = {"failing_since": since, "failures": verdict.in_a_row, "probe_at": probe_at}
                if verdict.pauses_lane:
                    values["next_free_at"] = verdict.at
                tx.connection.execute(update(LANES).where(LANES.c.channel == lease.channel).values(values))
            attempts = NOTIFICATIONS.c.attempts + int(verdict.counts)
            again = {"next_attempt_at": at, "reason": error.reason, "attempts": attempts}
            tx.connection.execute(change_one(StatusChange.RETRY, notification_id).values(again))
            return since

        return self._run(work)

    @override
    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        def work(tx: Statements) -> None:
            lane = _lane(tx, lease)
            record_attempt(tx, notification_id, reason, answer, now=now)
            if lane is not None:
                record_dead(tx, notification_id, lease.channel, reason=reason, answer=answer, now=now)

        self._run(work)

    @override
    def expire(self, lease: Lease, *, before: datetime, answer: str, now: datetime) -> None:
        old = (
            select(NOTIFICATIONS.c.id)
            .where(NOTIFICATIONS.c.channel == lease.channel, PENDING, NOTIFICATIONS.c.created_at < before)
            .order_by(NOTIFICATIONS.c.turn, NOTIFICATIONS.c.created_at)
            .limit(_EXPIRED_AT_ONCE)
        )

        def work(tx: Statements) -> None:
            ids = tx.connection.execute(old).scalars().all() if _lane(tx, lease) is not None else ()
            for notification_id in ids:
                record_dead(tx, notification_id, lease.channel, reason=Reason.EXPIRED, answer=answer, now=now)

        self._run(work)

    @override
    def release(self, lease: Lease, *, now: datetime) -> None:
        statement = (
            update(LANES)
            .where(LANES.c.channel == lease.channel, LANES.c.token == lease.token)
            .values(token=None, leased_until=now - timedelta(seconds=1))
        )
        self._run(lambda tx: tx.connection.execute(statement))


@dataclass(frozen=True, slots=True)
class _LaneRow:
    """A lane as it is stored; `LANES` explains the columns."""

    channel: str
    token: str | None
    leased_until: datetime
    next_free_at: datetime
    paced_until: datetime | None
    failing_since: datetime | None
    failures: int
    probe_at: datetime | None
    broken_at: datetime | None


_ROW: Final = columns_of(_LaneRow, LANES)


def _lanes(tx: Statements, statement: Executable) -> list[_LaneRow]:
    return read_rows(tx.connection, _LaneRow, statement)


def _lane(tx: Statements, lease: Lease) -> _LaneRow | None:
    """Return the lane's row, locked, or ``None`` if another worker has taken it over."""
    own = select(*_ROW).where(LANES.c.channel == lease.channel, LANES.c.token == lease.token)
    return next(iter(_lanes(tx, own.with_for_update())), None)


def _state(row: _LaneRow, now: datetime) -> LaneState:
    return LaneState(
        row.channel,
        paused_until=row.next_free_at if row.next_free_at > now else None,
        probe_at=row.probe_at if row.probe_at is not None and row.probe_at > now else None,
        failing_since=row.failing_since,
        broken_since=row.broken_at,
        busy=row.token is not None and row.leased_until > now,
    )


def _urgent(channel: str, now: datetime) -> Exists:
    """Select urgent messages that are due."""
    own = and_(NOTIFICATIONS.c.channel == channel, PENDING, NOTIFICATIONS.c.turn == URGENT_TURN)
    return select(NOTIFICATIONS.c.id).where(own, NOTIFICATIONS.c.next_attempt_at <= now).exists()


def _other_attempted(tx: Statements, notification_id: str, channel: str) -> bool:
    """Return whether another message was attempted, too, and waits for its next attempt."""
    own = and_(NOTIFICATIONS.c.channel == channel, PENDING, NOTIFICATIONS.c.turn < PARTIAL_TURN)
    other = select(NOTIFICATIONS.c.id).where(
        own, NOTIFICATIONS.c.body.is_not(None), NOTIFICATIONS.c.id != notification_id
    )
    return bool(tx.connection.execute(select(other.exists())).scalar())


def _delete_tracked(tx: Statements, ids: Iterable[str]) -> list[str]:
    """Delete sent messages about the cost of single calls, because there are too many to keep. Return their ids."""
    sent = and_(NOTIFICATIONS.c.id.in_(ids), NOTIFICATIONS.c.step == str(StepKey(Step.TRACKED)))
    gone = list(tx.connection.execute(delete(NOTIFICATIONS).where(sent).returning(NOTIFICATIONS.c.id)).scalars())
    if gone:
        tx.connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.notification_id.in_(gone)))
        tx.count(CounterName.SPEND_TRACKED, "sent", len(gone))
    return gone
