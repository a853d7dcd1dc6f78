"""Users' spend on the line: looked at each interval, told once for each user and day, or month."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from alertworker.alerts import AlertType
from alertworker.detectors.users import explained, judge_users
from alertworker.pipeline.claiming import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction


def look_at_users(tx: Transaction, runtime: Runtime, *, now: datetime) -> None:
    """Look at today, and at yesterday as long as it may have been spent on since the look before."""
    policy = runtime.users
    least = policy.least_nanos
    if least is None or not tx.claim_tick("users_looked_at", every=policy.every, now=now):
        return
    for moment in sorted({now.astimezone(runtime.zone).date(), (now - policy.every).astimezone(runtime.zone).date()}):
        _look(tx, runtime, moment, least, now=now)


def _look(tx: Transaction, runtime: Runtime, day: date, least_nanos: int, *, now: datetime) -> None:
    users = tx.users_of(day, before_days=runtime.users.anomaly_days, least_nanos=least_nanos)
    alerts = judge_users(users, runtime.users, day=day, now=now)
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        if tx.was_raised(alert.fingerprint):
            continue
        monthly = alert.type is AlertType.USER_SPEND_THRESHOLDS and "Month" in alert.facts
        behind = tx.behind("user", [alert.identity["user"]], day.replace(day=1) if monthly else day, day)
        claim(tx, replace(alert, facts=explained(alert, behind)), runtime, now=now)
