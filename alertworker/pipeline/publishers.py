"""Lost publishers, and hosts whose publisher is running and publishes nothing while other hosts do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import CATALOGUE, AlertType, Severity
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, LostPublisher, SilentHost, Transaction
from alertworker.text.format import spell_moment

#: How long a publisher may send nothing, while canaries return, before it is lost: 4.5 heartbeats.
SILENCE: Final = timedelta(seconds=45)
#: How long a host publishes nothing, while another host publishes without a pause, before an alert is raised.
PATIENCE: Final = timedelta(minutes=30)


def announce_lost(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Raise an alert for each publisher that sent nothing, although a canary that was sent later has returned.

    Raise at most ``limit`` alerts. Return whether more may be left.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None:
        return False
    lost = tx.lost_publishers(silent_since=now - SILENCE, canary_sent_at=arrived - SILENCE, limit=limit, now=now)
    for publisher in lost:
        claim(tx, _lost(publisher, runtime.zone), runtime, now=now)
    return len(lost) == limit


def announce_silent(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Raise one alert for each host that publishes nothing, and another one only after it has published.

    Raise at most ``limit`` alerts. Return whether more may be left. While no canary returns, raise none.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or now - arrived >= SILENCE:
        return False
    silent = tx.silent_hosts(reporting_since=now - SILENCE, quiet_since=now - PATIENCE, limit=limit, now=now)
    for host in silent:
        claim(tx, _silent(host, runtime.zone), runtime, now=now)
    return len(silent) == limit


def _silent(host: SilentHost, zone: ZoneInfo) -> Alert:
    return Alert(
        type=AlertType.PUBLISHER_SILENT,
        severity=CATALOGUE[AlertType.PUBLISHER_SILENT].severity,
        identity={"host": host.host, "integration": host.integration},
        headline=f"A proxy publishes nothing while its siblings do: {host.host}",
        first_at=host.moved_at,
        last_at=host.moved_at,
        facts={
            "Host": host.host,
            "Last event": spell_moment(host.moved_at, zone),
            "What to do": "its heartbeats arrive: check whether it gets traffic, and whether its callback runs",
        },
    )


def _lost(publisher: LostPublisher, zone: ZoneInfo) -> Alert:
    name = f"{publisher.host}, process {publisher.pid}"
    calls = f", {publisher.calls} announced calls lost with it" if publisher.calls else ""
    return Alert(
        type=AlertType.PUBLISHER_LOST,
        severity=Severity.HIGH,
        identity={"boot_id": publisher.boot_id},
        headline=f"A proxy stopped sending heartbeats without a clean shutdown: {name}{calls}",
        first_at=publisher.last_heartbeat_at,
        last_at=publisher.last_heartbeat_at,
        facts={
            "Host": publisher.host,
            "Process": str(publisher.pid),
            "Last heartbeat": spell_moment(publisher.last_heartbeat_at, zone),
        },
    )
