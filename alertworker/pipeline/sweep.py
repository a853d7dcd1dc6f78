"""Sweep: do what is due by the clock. Concurrent or missed sweeps change only the time at which it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final, Protocol

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertKind, AlertType, OutageScope, Severity
from alertworker.alerts.intervals import interval_grows, summary_interval
from alertworker.alerts.message import Step
from alertworker.alerts.next_step import NextStep, is_over, next_step
from alertworker.delivery.retry import DeliveryError
from alertworker.errors import BrokerUnavailable, StoreUnavailable
from alertworker.events import Canary
from alertworker.pipeline.budgets import end_budgets, remind_of_budget
from alertworker.pipeline.callers import end_callers
from alertworker.pipeline.credential_ends import end_credentials
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.ending import end_outages, remind_of_outage
from alertworker.pipeline.isolation import record_failure, run_each
from alertworker.pipeline.llm import find_by_chance, find_hung
from alertworker.pipeline.notify import CHECK_AGAIN, is_still_suppressed, notify, notify_unmuted, resolve
from alertworker.pipeline.publishers import announce_lost, announce_silent, end_publishers
from alertworker.pipeline.recheck import notify_if_it_holds, reviewed
from alertworker.pipeline.retention import forget
from alertworker.pipeline.runtime import Runtime
from alertworker.pipeline.time_zone import check_zone
from alertworker.pipeline.user_thresholds import check_users
from alertworker.ports import Clock, Transaction

_log: Final = logging.getLogger(__name__)
#: How often a canary is sent through the broker.
CANARY_EVERY: Final = timedelta(seconds=5)
#: The maximum number of alerts or budgets that one transaction raises or settles.
PIECE: Final = 100
#: The maximum number of transactions of each kind in one sweep.
_MOST_PIECES: Final = 20
#: Summaries of severity Low that are due within this time are sent with a due one, so that they are one digest.
_TOGETHER: Final = timedelta(minutes=5)
#: When an alert whose step failed is due again, so that those that fail leave room for the others.
_AFTER_FAILURE: Final = timedelta(minutes=1)
#: How often open alerts of types that only a newer version knows are reported.
_UNKNOWN_EVERY: Final = timedelta(minutes=1)


def sweep(runtime: Runtime, *, now: datetime) -> None:
    """Send what is due, resolve what is over, find publishers that stopped reporting, and wake the lanes.

    One transaction does at most `PIECE` of each. Work beyond `_MOST_PIECES` transactions waits for the next sweep. A
    step that fails does not stop the others.
    """

    def in_pieces(piece: _Piece) -> Callable[[], None]:
        return partial(_in_pieces, runtime, piece, now=now)

    steps: dict[str, Callable[[], None]] = {
        "wrong times": partial(runtime.store.read_first, partial(_correct_times, now=now)),
        "ends of credentials": in_pieces(end_credentials),
        "ends of outages": in_pieces(end_outages),
        "ends of publishers": in_pieces(end_publishers),
        "ends of callers": in_pieces(end_callers),
        "deferred channels": partial(_notify_unmuted, runtime, now=now),
        "due alerts": partial(_settle_due, runtime, now=now),
        "ends of budgets": in_pieces(end_budgets),
        "users": in_pieces(check_users),
        "lost publishers": in_pieces(announce_lost),
        "silent publishers": in_pieces(announce_silent),
        "time zone": partial(runtime.store.read_first, partial(check_zone, runtime=runtime, now=now)),
        "unknown types": partial(runtime.store.read_first, partial(_report_unknown, now=now)),
        "canary": partial(_send_canary, runtime, now=now),
        "lanes": partial(wake, runtime, now=now),
        "retention": partial(forget, runtime, now=now),
        "heartbeat": partial(_ping, runtime, now=now),
    }
    run_each(steps, runtime, now=now)


class _Piece(Protocol):
    """Does a piece of work in one transaction. Returns whether more may be left."""

    def __call__(self, tx: Transaction, runtime: Runtime, /, *, limit: int, now: datetime) -> bool: ...


def _in_pieces(runtime: Runtime, piece: _Piece, *, now: datetime) -> None:
    """Run a piece of work in one transaction after the other, until nothing is left."""
    for _ in range(_MOST_PIECES):
        if not runtime.store.read_first(lambda tx: piece(tx, runtime, limit=PIECE, now=now)):
            return


def _correct_times(tx: Transaction, *, now: datetime) -> None:
    if tx.wrong_times.set_back(now=now):
        _log.warning("the clock of a host was ahead of the database's; what it stored in the future was set back")


def _send_canary(runtime: Runtime, *, now: datetime) -> None:
    if runtime.store.read_first(lambda tx: _canary_is_due(tx, now=now)):
        # A canary that cannot be sent does not return, so no publisher is declared lost until then.
        with suppress(BrokerUnavailable):
            runtime.broker.publish([Canary(occurred_at=now)])


def _canary_is_due(tx: Transaction, *, now: datetime) -> bool:
    """Claim this interval's canary. Return false if it was claimed."""
    sent = tx.clock.read(Clock.CANARY_SENT)
    if sent is not None and now - sent < CANARY_EVERY:
        return False
    tx.clock.advance(Clock.CANARY_SENT, now)
    return True


def _ping(runtime: Runtime, *, now: datetime) -> None:
    if runtime.heartbeat is not None and runtime.store.read_first(lambda tx: _heartbeat_is_due(tx, runtime, now=now)):
        # A dead man's switch that is unreachable alerts by itself, because the pings are missing.
        with suppress(DeliveryError):
            runtime.heartbeat()


def _heartbeat_is_due(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Claim this interval's ping. Return false if it was claimed, or if no canary of this interval has returned."""
    interval = timedelta(seconds=runtime.heartbeat_seconds)
    arrived, pinged = tx.clock.read(Clock.CANARY_ARRIVED), tx.clock.read(Clock.HEARTBEAT_PINGED)
    if arrived is None or now - arrived > interval or (pinged is not None and now - pinged < interval):
        return False
    tx.clock.advance(Clock.HEARTBEAT_PINGED, now)
    return True


def _report_unknown(tx: Transaction, *, now: datetime) -> None:
    if tx.clock.claim_every(Clock.UNKNOWN_TYPES_CHECKED, every=_UNKNOWN_EVERY, now=now):
        tx.alerts.report_unknown_types()


def _notify_unmuted(runtime: Runtime, *, now: datetime) -> None:
    """Notify channels that were mute when a condition fired, and are not mute any more.

    Time intervals end on the minute, so one pass in each minute is enough, unless something else suppressed a
    condition then.
    """
    minute = now.replace(second=0, microsecond=0)
    if runtime.store.read(lambda tx: tx.clock.read(Clock.DEFERRED_CHECKED)) == minute:
        return
    after: str | None = ""
    done = True
    while after is not None:
        after, notified = runtime.store.run(partial(_notify_some, runtime=runtime, after=after, now=now))
        done = done and notified
    if done:
        runtime.store.run(lambda tx: tx.clock.advance(Clock.DEFERRED_CHECKED, minute))


def _notify_some(tx: Transaction, runtime: Runtime, after: str, now: datetime) -> tuple[str | None, bool]:
    """Notify for one page of conditions.

    Return the fingerprint to continue after, ``None`` at the end, and whether no condition of the page is suppressed.
    """
    deferred = tx.alerts.deferred_alerts(after=after, limit=PIECE)
    notified = [notify_unmuted(tx, alert, runtime, reviewed, now=now) for alert in deferred]
    return (deferred[-1].fingerprint if len(deferred) == PIECE else None), all(notified)


def _settle_due(runtime: Runtime, *, now: datetime) -> None:
    """Settle the alerts that are due, in pieces. If a piece fails, settle each of its alerts alone."""
    for _ in range(_MOST_PIECES):
        try:
            if not runtime.store.read_first(partial(_settle_piece, runtime=runtime, now=now)):
                return
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - the next function finds and records the alert that failed
            _settle_alone(runtime, now=now)


def _settle_piece(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Settle at most `PIECE` of the alerts that are due. Return whether more may be due."""
    due = tx.alerts.due_alerts(limit=PIECE, now=now)
    left: dict[str, NextStep] = {}
    for _, alike in groupby(sorted(due, key=_explains_less), key=_explains_less):
        left |= _settle(tx, list(alike), runtime, now=now)
    if any(left.get(alert.id) is NextStep.SUMMARIZE and alert.severity is Severity.LOW for alert in due):
        upcoming = tx.alerts.upcoming_summaries(until=now + _TOGETHER, limit=PIECE, now=now)
        steps = _next_steps(tx, upcoming, runtime, now=now)
        for alert in upcoming:
            if steps[alert.id] is NextStep.SUMMARIZE:
                notify(tx, alert, Step.SUMMARY, runtime, now=now)
    return len(due) >= PIECE


def _settle_alone(runtime: Runtime, *, now: datetime) -> None:
    """Settle each alert that is due in a transaction of its own. An alert that fails is tried again later."""

    def settle(tx: Transaction, alert_id: str) -> None:
        due = tx.alerts.due_alerts(limit=PIECE, now=now)
        _settle(tx, [alert for alert in due if alert.id == alert_id], runtime, now=now)

    def postpone(tx: Transaction, alert: OpenAlert) -> None:
        tx.alerts.check_again([alert.id], at=now + _AFTER_FAILURE)
        if alert.repeat_at is not None and alert.repeat_at <= now:
            tx.alerts.remind_at(alert.id, now + _AFTER_FAILURE)

    due = runtime.store.read(lambda tx: tx.alerts.due_alerts(limit=PIECE, now=now))
    for alert in sorted(due, key=_explains_less):
        try:
            runtime.store.run(partial(settle, alert_id=alert.id))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of an alert
            record_failure("due alerts", error, runtime, now=now)
            runtime.store.run(partial(postpone, alert=alert))


def _settle(tx: Transaction, due: Sequence[OpenAlert], runtime: Runtime, *, now: datetime) -> Mapping[str, NextStep]:
    """Carry out the next steps of alerts that nothing suppresses any more. Return these steps by id."""
    suppressed = [one.id for one in due if not is_over(one) and is_still_suppressed(tx, one, runtime, now=now)]
    tx.alerts.check_again(suppressed, at=now + CHECK_AGAIN)
    left = _next_steps(tx, [alert for alert in due if alert.id not in suppressed], runtime, now=now)
    for alert in due:
        if alert.id in left:
            _EXECUTORS[left[alert.id]](tx, alert, runtime, now=now)
    return left


def _explains_less(alert: OpenAlert) -> tuple[bool, int]:
    """Return a sort key: outages of providers, then those of regions and models, and conditions before notices.

    An alert that is notified first can inhibit the alerts that it explains.
    """
    is_broad = alert.type is AlertType.REGION_OUTAGE_ALERTS or "scope" in alert.labels
    is_broadest = alert.labels.get("scope") == OutageScope.PROVIDER
    return alert.kind is AlertKind.NOTICE, -is_broad - is_broadest


def _next_steps(
    tx: Transaction, alerts: Sequence[OpenAlert], runtime: Runtime, *, now: datetime
) -> dict[str, NextStep]:
    explained = find_by_chance(tx, alerts, runtime) | find_hung(tx, alerts, runtime)
    return {
        alert.id: next_step(alert, now, is_explained=alert.id in explained, is_early=_is_early(alert, runtime, now=now))
        for alert in alerts
    }


def _is_early(alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether an alert that is looked at more often than it is summed up is not to be summed up yet."""
    if alert.notified_at is None or not interval_grows(alert) or alert.type in runtime.router.digests:
        return False
    interval = runtime.router.decide(alert.type, alert.routing_labels, now=now).group_interval
    return now - alert.notified_at < summary_interval(alert.type, max(0, alert.summaries - 1), interval)


def _close(tx: Transaction, alert: OpenAlert, _runtime: Runtime, *, now: datetime) -> None:
    tx.alerts.close(alert.id, count=alert.count, now=now)


def _wait(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    interval = runtime.router.decide(alert.type, alert.routing_labels, now=now).group_interval
    tx.alerts.check_again([alert.id], at=now + timedelta(seconds=interval))


def _check_later(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    _wait(tx, alert, runtime, now=now)
    if alert.kind is AlertKind.NOTICE and alert.count > alert.notified_count:  # too few for a message
        tx.alerts.count_as_notified(alert, next_summary_at=None, now=now)


class _Executor(Protocol):
    """Carries out a step in the transaction that has locked the alert."""

    def __call__(self, tx: Transaction, alert: OpenAlert, runtime: Runtime, /, *, now: datetime) -> None: ...


def _notifies(step: Step) -> _Executor:
    def execute(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
        notify(tx, alert, step, runtime, now=now)

    return execute


_EXECUTORS: Final[Mapping[NextStep, _Executor]] = {
    NextStep.RESOLVE: resolve,
    NextStep.NOTIFY_FIRING: notify_if_it_holds,
    NextStep.SUMMARIZE: _notifies(Step.SUMMARY),
    NextStep.CLOSE: _close,
    NextStep.REMIND: _notifies(Step.REMINDER),
    NextStep.REMIND_OF_BUDGET: remind_of_budget,
    NextStep.REMIND_OF_OUTAGE: remind_of_outage,
    NextStep.WAIT: _wait,
    NextStep.CHECK_LATER: _check_later,
}
