"""Users' spend on the line: looked at each interval, told once for each user and day, or month."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.user_thresholds import Look, explained, judge_users
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction


def look_at_users(tx: Transaction, runtime: Runtime, *, now: datetime) -> None:
    """Look at today, and at yesterday as long as it may have been spent on since the look before."""
    policy = runtime.users
    least, before = policy.least_nanos, tx.clock.read(Clock.USERS_CHECKED)
    if least is None or not tx.clock.claim_every(Clock.USERS_CHECKED, every=policy.every, now=now):
        return
    for day in sorted({now.astimezone(runtime.zone).date(), (now - policy.every).astimezone(runtime.zone).date()}):
        _look(tx, runtime, Look(day, now, before, runtime.zone), least)


def _look(tx: Transaction, runtime: Runtime, look: Look, least_nanos: int) -> None:
    users = tx.user_spend(look.day, before_days=runtime.users.anomaly_days, least_nanos=least_nanos)
    alerts = list(judge_users(users, runtime.users, look))
    told = tx.raised(alert.fingerprint for alert in alerts)
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        if alert.fingerprint in told:
            continue
        monthly = alert.type is AlertType.USER_SPEND_THRESHOLDS and "Month" in alert.facts
        first = look.day.replace(day=1) if monthly else look.day
        contributors = tx.top_contributors("user", [alert.identity["user"]], first, look.day)
        claim(tx, replace(alert, facts=explained(alert, contributors)), runtime, now=look.now)
