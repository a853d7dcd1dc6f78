"""``/``: what fires now, and whether the line that would tell of it flows."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from alertworker.alerts.catalogue import Severity
from alertworker.ledger.reader import Days
from alertworker.web.pages.views import Visit, page

#: How many alerts the first page shows.
_MOST: Final = 20
_SEVERITIES: Final = tuple(severity.value for severity in reversed(Severity))
#: What is counted, in a person's words; a name that is not here is shown as it is.
COUNTERS: Final = {
    "muted": "Muted messages, by what muted them",
    "merged": "Messages merged into others",
    "dropped": "Messages dropped before they were sent",
    "no_route": "Alerts that no route leads anywhere, by type",
    "not_taken": "Messages that none of their channels takes, by type",
    "delivery_retries": "Attempts that failed and were tried again",
    "dead_letters": "Dead letters ever written, by kind",
    "unknown_values": "Stored values that only a newer version knows",
    "clamped": "Events whose clock was ahead",
    "late_attempts": "Attempts that came too late for an outage",
    "dropped by publishers": "Events that publishers dropped before they reached the broker",
}


def overview(visit: Visit) -> Response:
    """Show what somebody on call looks at first."""
    context, now = visit.context, visit.now
    found = context.examine(now)
    today = now.astimezone(context.zone).date()
    counted = context.admin.count_open()
    return visit.show(
        "overview.html",
        found=found,
        firing=context.admin.firing_alerts(limit=_MOST),
        open=counted.total(),
        counted={severity: counted[severity] for severity in _SEVERITIES},
        spent=context.ledger.total(Days(today, today)),
        waiting=sum(lane.waiting for lane, _ in found.lanes.values()),
        channels=context.channels,
        counter_names=COUNTERS,
    )


ROUTES: Final = (page("/", overview),)
