"""``/``: the open alerts, and the health of the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from alertworker.alerts.catalogue import Severity
from alertworker.health import DROPPED_BY_PUBLISHERS, CheckState
from alertworker.ledger.reader import Days
from alertworker.ports import CounterName
from alertworker.web.pages.views import Visit, page

#: How many alerts the overview shows.
_MOST: Final = 20
_SEVERITIES: Final = tuple(severity.value for severity in reversed(Severity))
#: A label for each counter. A counter without a label is shown by its name.
COUNTERS: Final[Mapping[str, str]] = {
    CounterName.SUPPRESSED: "Suppressed messages, by reason",
    CounterName.MERGED: "Messages merged into another message",
    CounterName.DROPPED: "Dropped messages and events, by reason",
    CounterName.NO_ROUTE: "Alerts without a route to a channel, by type",
    CounterName.NOT_TAKEN: "Messages that no channel of their route accepts, by type",
    CounterName.DELIVERY_RETRIES: "Failed attempts that were retried",
    CounterName.SPEND_TRACKED: "Sent messages about the cost of single calls",
    CounterName.DEAD_LETTERS: "Dead letters written so far, by kind",
    CounterName.UNKNOWN_VALUES: "Stored values from a newer version",
    CounterName.CLAMPED: "Events from a clock that is ahead",
    CounterName.LATE_ATTEMPTS: "Attempts that arrived too late to count in an outage",
    CounterName.POSTPONED: "Alerts postponed because one batch had too many",
    CounterName.FAILED_STEPS: "Failed steps of the sweep and failed reports, by step",
    CounterName.OTHER_NAMES: "Names in events over HTTP above http_names_per_hour",
    CounterName.REFUSED_KEYS: "Wrong keys over HTTP, and attempts after too many of them",
    DROPPED_BY_PUBLISHERS: "Events that publishers dropped before sending",
}


def overview(visit: Visit) -> Response:
    """Show the overview: open alerts, health, lanes and counters."""
    context, now = visit.context, visit.now
    found = context.examine(now)
    today = now.astimezone(context.zone).date()
    counted = context.admin.alerts.count_open()
    return visit.show(
        "overview.html",
        found=found,
        firing=context.admin.alerts.firing(limit=_MOST),
        open=counted.total(),
        suppressed=context.admin.alerts.count_open(suppressed=True).total(),
        verdict=_verdict(found.state, counted),
        counted={severity: counted[severity] for severity in _SEVERITIES},
        spent=context.ledger.total(Days(today, today)),
        waiting=sum(lane.waiting for lane, _ in found.lanes.values()),
        channels=context.channels,
        counter_names=COUNTERS,
    )


def _verdict(state: CheckState, counted: Counter[str]) -> tuple[str, CheckState]:
    """Return the headline of the page, and the state whose look it has.

    ``counted`` are the open alerts that are not suppressed, by severity.
    """
    high, others = counted[Severity.HIGH.value], counted.total()
    if state is CheckState.PROBLEM:
        return "Action required", state
    if high:
        return f"{high:,} High alert{' is' if high == 1 else 's are'} open", CheckState.PROBLEM
    notes = ", with notes" if state is CheckState.NOTE else ""
    if others:
        headline = f"Alerting is operational{notes} · {others:,} alert{' is' if others == 1 else 's are'} open"
        return headline, CheckState.NOTE
    return ("Operational, with notes" if notes else "All systems operational"), state


ROUTES: Final = (page("/", overview),)
