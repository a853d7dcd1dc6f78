"""Users' spend in the pipeline: check it each interval, and alert once for each user and day, or month."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alertworker.alerts.alert import Alert
from alertworker.budgets.user_thresholds import UserCheck, explained, judge_users
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction


def check_users(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Check today's spend, and yesterday's while it may have grown since the last check.

    Raise at most ``limit`` alerts. Return whether more are left. The check is recorded as done with its last alert.
    """
    policy = runtime.users
    least, before = policy.least_nanos, tx.clock.read(Clock.USERS_CHECKED)
    if least is None or (before is not None and now - before < policy.every):
        return False
    # Another worker may check at the same time. This row's lock makes it wait, and then see the alerts of the first.
    if not tx.clock.claim_every(Clock.USERS_PIECE, every=timedelta(0), now=now):
        return False
    days = sorted({now.astimezone(runtime.zone).date(), (now - policy.every).astimezone(runtime.zone).date()})
    for day in days:
        check = UserCheck(day, now, before, runtime.zone)
        new = _new(tx, runtime, check, least)
        for alert in new[:limit]:
            _claim(tx, runtime, check, alert)
        if len(new) > limit:
            return True
        limit -= len(new)
    tx.clock.claim_every(Clock.USERS_CHECKED, every=policy.every, now=now)
    return False


def _new(tx: Transaction, runtime: Runtime, check: UserCheck, least_nanos: int) -> list[Alert]:
    """Return the alerts of a day that were never raised, in order."""
    users = tx.user_totals.user_spend(check.day, before_days=runtime.users.anomaly_days, least_nanos=least_nanos)
    alerts = list(judge_users(users, runtime.users, check))
    raised = tx.alerts.raised(alert.fingerprint for alert in alerts)
    return sorted((one for one in alerts if one.fingerprint not in raised), key=lambda alert: alert.fingerprint)


def _claim(tx: Transaction, runtime: Runtime, check: UserCheck, alert: Alert) -> None:
    """Claim an alert with the top contributors to the user's spend."""
    first = check.day.replace(day=1) if alert.identity["period"] == check.month else check.day
    behind = tx.user_totals.top_contributors("user", [alert.identity["user"]], first, check.day)
    claim(tx, replace(alert, facts=explained(alert, behind)), runtime, now=check.now)
