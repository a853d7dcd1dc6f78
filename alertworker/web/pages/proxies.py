"""``/proxies``: publishers with their states, and deployments with their failures and latency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from alertworker.alerts.catalogue import AlertType
from alertworker.ledger.reader import Days, DeploymentDays
from alertworker.ledger.rows import SUCCEEDED
from alertworker.ports.admin import PublisherRow, PublisherState
from alertworker.ports.alert_search import AlertLabels
from alertworker.web.pages.views import Visit, page

_OUTAGES: Final = frozenset({AlertType.OUTAGE_ALERTS.value, AlertType.COOLDOWN_DEPLOYMENT.value})
#: The number of days of each period that the page offers, by its name in the URL.
_PERIODS: Final = {"today": 1, "7 days": 7, "30 days": 30}
#: How many publishers the page shows.
_MOST: Final = 100
#: The order in which publishers are shown.
_STATES: Final = (PublisherState.LOST, PublisherState.SILENT, PublisherState.LIVE, PublisherState.STOPPED)


@dataclass(frozen=True, slots=True)
class PublisherEntry:
    """A publisher with its state, and the number of events that it dropped, by reason."""

    row: PublisherRow
    state: PublisherState


@dataclass(frozen=True, slots=True)
class Others:
    """The sum of the publishers that the page does not show: how many there are by state, and their counters."""

    states: Mapping[PublisherState, int]
    published: int
    backlog: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's figures over a period, and its open alerts."""

    days: DeploymentDays
    attempts: int
    share: float
    errors: list[tuple[str, int]]
    alerts: list[AlertLabels]


def proxies(visit: Visit) -> Response:
    """Show publishers, lost and silent ones first, and deployments, the most failures first.

    Of many publishers those with the most dropped events are shown, and the sum of the others.
    """
    period = visit.parameter("days") if visit.parameter("days") in _PERIODS else "today"
    publishers = _publishers(visit)
    return visit.show(
        "proxies.html",
        publishers=sorted(publishers[:_MOST], key=lambda one: _STATES.index(one.state)),
        others=_sum(publishers[_MOST:]) if len(publishers) > _MOST else None,
        deployments=_deployments(visit, _PERIODS[period]),
        periods=list(_PERIODS),
        period=period,
    )


def _publishers(visit: Visit) -> list[PublisherEntry]:
    """Return publishers: those with the most dropped events first, then lost and silent ones."""
    found = [PublisherEntry(row, row.state(now=visit.now)) for row in visit.context.admin.publishers()]
    return sorted(found, key=lambda one: (-sum(one.row.dropped.values()), _STATES.index(one.state)))


def _sum(publishers: Sequence[PublisherEntry]) -> Others:
    rows = [one.row for one in publishers]
    dropped = Counter[str]()
    for row in rows:
        dropped.update(row.dropped)
    states = Counter(one.state for one in publishers)
    return Others(states, sum(row.published for row in rows), sum(row.backlog for row in rows), dropped)


def _deployments(visit: Visit, count: int) -> list[Deployment]:
    today = visit.now.astimezone(visit.context.zone).date()
    about: dict[str, list[AlertLabels]] = {}
    for row in visit.context.admin.alerts.open_labels():
        if row.type in _OUTAGES and row.labels.get("deployment"):
            about.setdefault(row.labels["deployment"], []).append(row)
    found = []
    for days in visit.context.ledger.deployments(Days(today - timedelta(days=count - 1), today)):
        attempts = sum(days.attempts.values())
        errors = sorted(
            ((outcome, number) for outcome, number in days.attempts.items() if outcome != SUCCEEDED and number),
            key=lambda pair: -pair[1],
        )
        share = 100 * days.failed / attempts if attempts else 0.0
        found.append(Deployment(days, attempts, share, errors, about.get(days.deployment_id, [])))
    return sorted(found, key=lambda one: (-len(one.alerts), -one.days.failed, one.days.deployment_id))


ROUTES: Final = (page("/proxies", proxies),)
