"""Sweep: what is due by the clock. Two sweeps at once, or none for a while, change nothing but the moment."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts import Alert, AlertType, Severity
from alertworker.errors import LineUnavailable
from alertworker.events import Canary
from alertworker.messages import Step
from alertworker.pipeline.claiming import claim, tell
from alertworker.pipeline.ingest import MAX_BATCH_AGE, wake
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import LostPublisher, OpenAlert, Transaction

#: How often a canary is sent round the line.
CANARY_EVERY: Final = timedelta(seconds=5)
#: How long a publisher may be silent, while the line flows, before it is lost: four and a half heartbeats.
SILENCE: Final = timedelta(seconds=45)


def sweep(runtime: Runtime, *, now: datetime) -> None:
    """Tell what is due, resolve what is over, notice who went silent, and wake the lanes."""
    if runtime.store.run(lambda tx: _sweep(tx, runtime, now=now)):
        # A canary that cannot be sent does not arrive, so nothing is concluded from silence.
        with suppress(LineUnavailable):
            runtime.line.publish([Canary(occurred_at=now)])
    wake(runtime, now=now)


def _sweep(tx: Transaction, runtime: Runtime, *, now: datetime) -> bool:
    """Do one sweep; true when a canary is due."""
    for alert in tx.due_alerts(now=now):
        _settle(tx, alert, runtime, now=now)
    arrived = tx.line("canary_arrived")
    if arrived is not None:
        lost = tx.lost_publishers(silent_since=now - SILENCE, canary_sent_at=arrived - SILENCE, now=now)
        for publisher in lost:
            claim(tx, _lost(publisher), runtime, now=now)
    sent = tx.line("canary_sent")
    if sent is not None and now - sent < CANARY_EVERY:
        return False
    tx.mark_line("canary_sent", now)
    tx.prune(before=now - MAX_BATCH_AGE)
    return True


def _settle(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    if alert.type is AlertType.LLM_REQUESTS_HANGING and not alert.running:
        tell(tx, alert, Step.RESOLVED, runtime, next_summary_at=None, now=now)
        return
    next_summary_at = now + timedelta(seconds=runtime.group_interval(alert.type))
    if alert.count > alert.told:
        tell(tx, alert, Step.SUMMARY, runtime, next_summary_at=next_summary_at, now=now)
        return
    # Nothing new for a whole interval: a notice is over, a condition that still holds stays open.
    tx.told(alert.id, count=alert.count, next_summary_at=next_summary_at if alert.running else None)


def _lost(publisher: LostPublisher) -> Alert:
    calls = f", {publisher.calls} announced calls gone with it" if publisher.calls else ""
    return Alert(
        type=AlertType.PUBLISHER_LOST,
        severity=Severity.HIGH,
        identity={"boot_id": publisher.boot_id},
        headline=f"A proxy went silent without a goodbye: {publisher.host}, process {publisher.pid}{calls}",
        first_at=publisher.heard_at,
        last_at=publisher.heard_at,
        facts={"Host": publisher.host, "Process": str(publisher.pid), "Last heard": publisher.heard_at.isoformat()},
    )
