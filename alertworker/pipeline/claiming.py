"""Claim: an alert becomes or joins a row, and its first message is written in the same transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from alertworker.alerts import MAX_MEMBERS, Alert, Kind
from alertworker.grouping import compose
from alertworker.messages import Step
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import OpenAlert, Transaction


def claim(tx: Transaction, alert: Alert, runtime: Runtime, *, now: datetime) -> OpenAlert:
    """Raise the alert; the claim that opens it also writes its first message, all others are counted for a summary."""
    next_summary_at = now + timedelta(seconds=runtime.group_interval(alert.type))
    claimed = tx.raise_alert(alert, next_summary_at=next_summary_at, now=now)
    tx.add_members(claimed.id, claimed.count, alert.members)
    if claimed.opened:
        step = Step.FIRING if alert.kind is Kind.CONDITION else Step.NOTICE
        tell(tx, claimed, step, runtime, next_summary_at=next_summary_at, now=now)
    return claimed


def tell(
    tx: Transaction,
    alert: OpenAlert,
    step: Step,
    runtime: Runtime,
    *,
    next_summary_at: datetime | None,
    now: datetime,
) -> None:
    """Write the notifications of one step and record up to where the alert was told; without a next one it closes."""
    members = tx.members_since(alert.id, alert.told, MAX_MEMBERS)
    message = compose(alert, step, members, at=now, proxy_url=runtime.proxy_url)
    channels = runtime.route(alert.type)
    if not channels:
        tx.count("no_route", alert.type.value)
    tx.notify(message, f"{step.value}:{alert.summaries}", channels, now=now)
    tx.told(alert.id, count=alert.count, next_summary_at=next_summary_at)
