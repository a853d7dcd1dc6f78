"""A proxy whose callback lives and delivers nothing, while its siblings do: nobody would miss its calls otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import CATALOGUE, AlertType
from alertworker.pipeline.claiming import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import SilentHost, Transaction
from alertworker.text.format import spell_moment

#: For how long a host delivers nothing, and a sibling without a pause, before it is announced.
PATIENCE: Final = timedelta(minutes=30)


def announce_silent(tx: Transaction, runtime: Runtime, *, heard_since: datetime, now: datetime) -> None:
    """Tell once of every host that delivers nothing; again only after it had delivered something."""
    for host in tx.silent_hosts(heard_since=heard_since, quiet_since=now - PATIENCE, now=now):
        claim(tx, _silent(host), runtime, now=now)


def _silent(host: SilentHost) -> Alert:
    return Alert(
        type=AlertType.PUBLISHER_SILENT,
        severity=CATALOGUE[AlertType.PUBLISHER_SILENT].severity,
        identity={"host": host.host, "integration": host.integration},
        headline=f"A proxy publishes nothing while its siblings do: {host.host}",
        first_at=host.moved_at,
        last_at=host.moved_at,
        facts={
            "Host": host.host,
            "Last event": spell_moment(host.moved_at),
            "What to do": "it lives and says so: see whether it gets traffic, and whether its callback runs",
        },
    )
