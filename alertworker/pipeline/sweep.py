"""Sweep: what is due by the clock. Two sweeps at once, or none for a while, change nothing but the moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType, Kind
from alertworker.alerts.message import Step
from alertworker.delivery.retry import DeliveryError
from alertworker.errors import LineUnavailable
from alertworker.events import Canary
from alertworker.pipeline.budgets import end_budgets, remind_of_budget
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.notify import LOOK_AGAIN, catch_up, is_still_muted, resolve, tell
from alertworker.pipeline.outages import end_outages, remind_of_outage
from alertworker.pipeline.publishers import SILENCE, announce_lost, announce_silent
from alertworker.pipeline.retention import forget
from alertworker.pipeline.runtime import Runtime
from alertworker.pipeline.time_zone import look_at_zone
from alertworker.pipeline.user_thresholds import look_at_users
from alertworker.ports import Transaction

#: How often a canary is sent round the line.
CANARY_EVERY: Final = timedelta(seconds=5)
#: How many alerts or budgets one transaction settles, and how many transactions of a kind one sweep makes at the most.
PIECE: Final = 100
_MOST_PIECES: Final = 20
#: The minute in which it was last looked at whom mute channels are owed.
_OWED: Final = "owed_looked_at"
#: Conditions that say by themselves when they grow worse; that more of the same came, reminders say.
_REMINDED: Final = frozenset({AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS})


def sweep(runtime: Runtime, *, now: datetime) -> None:
    """Tell what is due, resolve what is over, notice who went silent, and wake the lanes.

    However much is due, no transaction holds more than a piece of it; what is left of very much waits for the next.
    """
    runtime.store.run(lambda tx: end_outages(tx, runtime, now=now))
    _catch_up(runtime, now=now)
    _in_pieces(runtime, lambda tx: _settle_due(tx, runtime, now=now))
    _in_pieces(runtime, lambda tx: end_budgets(tx, runtime, limit=PIECE, now=now))
    if runtime.store.run(lambda tx: _sweep(tx, runtime, now=now)):
        # A canary that cannot be sent does not arrive, so nothing is concluded from silence.
        with suppress(LineUnavailable):
            runtime.line.publish([Canary(occurred_at=now)])
    wake(runtime, now=now)
    forget(runtime, now=now)
    if runtime.heartbeat is not None and runtime.store.run(lambda tx: _heartbeat_is_due(tx, runtime, now=now)):
        # A switch that cannot be reached notices by itself that nobody pings it.
        with suppress(DeliveryError):
            runtime.heartbeat()


def _in_pieces(runtime: Runtime, piece: Callable[[Transaction], bool]) -> None:
    """Run a piece of work in transactions of its own, until it says that nothing is left."""
    for _ in range(_MOST_PIECES):
        if not runtime.store.run(piece):
            return


def _heartbeat_is_due(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Claim this interval's ping; only while a canary that was sent within it has come round."""
    interval = timedelta(seconds=runtime.heartbeat_seconds)
    arrived, pinged = tx.line("canary_arrived"), tx.line("heartbeat_pinged")
    if arrived is None or now - arrived > interval or (pinged is not None and now - pinged < interval):
        return False
    tx.mark_line("heartbeat_pinged", now)
    return True


def _sweep(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Look at what is not due by an alert's own clock; true when a canary is due."""
    look_at_users(tx, runtime, now=now)
    look_at_zone(tx, runtime, now=now)
    arrived = tx.line("canary_arrived")
    if arrived is not None:
        announce_lost(tx, runtime, canary_arrived=arrived, now=now)
        if now - arrived < SILENCE:
            announce_silent(tx, runtime, heard_since=now - SILENCE, now=now)
    sent = tx.line("canary_sent")
    if sent is not None and now - sent < CANARY_EVERY:
        return False
    tx.mark_line("canary_sent", now)
    return True


def _catch_up(runtime: Runtime, *, now: datetime) -> None:
    """Tell channels that were mute when a condition fired.

    Intervals end on the minute, so that one look in each is enough, unless something else muted a condition then.
    """
    minute = now.replace(second=0, microsecond=0)
    if runtime.store.run(lambda tx: tx.line(_OWED)) == minute:
        return
    after: str | None = ""
    done = True
    while after is not None:
        after, told = runtime.store.run(partial(_catch_up_some, runtime=runtime, after=after, now=now))
        done = done and told
    if done:
        runtime.store.run(lambda tx: tx.mark_line(_OWED, minute))


def _catch_up_some(tx: Transaction, runtime: Runtime, after: str, now: datetime) -> tuple[str | None, bool]:
    """Do so for some conditions; gives where to go on, ``None`` at the end, and whether none was held back."""
    owing = tx.owing_alerts(after=after, limit=PIECE)
    told = [catch_up(tx, alert, runtime, now=now) for alert in owing]
    return (owing[-1].fingerprint if len(owing) == PIECE else None), all(told)


def _settle_due(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Settle some of the alerts that are due; true where these may not have been all."""
    due = tx.due_alerts(limit=PIECE, now=now)
    muted = [one.id for one in due if not _is_over(one) and is_still_muted(tx, one, runtime, now=now)]
    tx.look_again(muted, at=now + LOOK_AGAIN)
    for alert in due:
        if alert.id not in muted:
            _settle(tx, alert, runtime, now=now)
    return len(due) >= PIECE


def _is_over(alert: OpenAlert) -> bool:
    """Return whether all calls of a condition that hung have ended."""
    return alert.type is AlertType.LLM_REQUESTS_HANGING and alert.kind is Kind.CONDITION and not alert.running


def _settle(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    if _is_over(alert):
        resolve(tx, alert, runtime, now=now)
    elif alert.muted_by is not None:
        tell(tx, alert, Step.FIRING, runtime, now=now)
    elif alert.count > alert.told and alert.type not in _REMINDED:
        tell(tx, alert, Step.SUMMARY, runtime, now=now)
    elif alert.kind is Kind.NOTICE:
        # Nothing new for a whole interval: it is over.
        tx.close(alert.id, count=alert.count, now=now)
    elif alert.repeat_at is not None and alert.repeat_at <= now and alert.type is AlertType.BUDGET_ALERTS:
        remind_of_budget(tx, alert, runtime, now=now)
    elif alert.repeat_at is not None and alert.repeat_at <= now and alert.type in _REMINDED:
        remind_of_outage(tx, alert, runtime, now=now)
    elif alert.repeat_at is not None and alert.repeat_at <= now:
        tell(tx, alert, Step.REMINDER, runtime, now=now)
    else:
        interval = runtime.router.decide(alert.type, alert.routing_labels, now=now).group_interval
        tx.told(alert.id, count=alert.count, next_summary_at=now + timedelta(seconds=interval), now=now)
