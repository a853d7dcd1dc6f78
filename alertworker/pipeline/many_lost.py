"""Many hosts that are lost at once: one alert for all of them, so that invented host names cause no flood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.many import MAX_LISTED
from alertworker.ports import Host, LostPublisher

#: How many lost hosts have an alert each at the same time. Further ones are summed up.
MOST_HOSTS: Final = 20
#: Stands for the hosts that are summed up. No host has a name with parentheses.
MANY: Final = Host("(many hosts)", "")
#: The maximum number of hosts that its facts name.
_NAMES: Final = 5


def own_alerts(by_host: Mapping[Host, Sequence[LostPublisher]], opened: Iterable[Host]) -> set[Host]:
    """Return the hosts that get an alert of their own: those that have one, and the others if there are few."""
    known = set(opened) - {MANY}
    new = by_host.keys() - known
    return by_host.keys() & known | (new if len(new) + len(known) <= MOST_HOSTS else set())


def describe_many(hosts: Mapping[Host, Sequence[LostPublisher]], *, total: int, alone: bool, kept: int) -> Alert:
    """Return the alert about hosts that are summed up.

    ``total`` is how many hosts were lost since the alert began, and do not run again. ``alone`` is true if an
    integration has no running host left. ``kept`` is how many hosts the alert lists already.
    """
    lost = [one for publishers in hosts.values() for one in publishers]
    names = sorted(host.name for host in hosts)
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    severity = Severity.HIGH if alone else Severity.MEDIUM
    return Alert(
        type=AlertType.PUBLISHER_LOST,
        severity=severity,
        identity={"host": MANY.name, "integration": MANY.integration},
        headline=f"{total:,} proxies stopped sending heartbeats without a clean shutdown",
        first_at=min(one.arrived_at for one in lost),
        last_at=max(one.arrived_at for one in lost),
        count=len(lost),
        facts={"Hosts": f"{', '.join(names[:_NAMES])}{more}"},
        members=tuple(_member(host) for host in sorted(hosts))[: max(0, MAX_LISTED - kept)],
        level=2 if alone else 1,
    )


def _member(host: Host) -> str:
    return f"{host.name} ({host.integration})" if host.integration else host.name
