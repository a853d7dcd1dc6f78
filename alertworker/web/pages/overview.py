"""``/``: what fires now, and whether the line that would tell of it flows."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.responses import Response

from alertworker.alerts import Severity
from alertworker.diagnosis import State
from alertworker.pipeline.deliver import PATIENCE
from alertworker.ports import LaneState
from alertworker.spend_book import Days
from alertworker.web.pages.page import Visit, page

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
    "clamped": "Events whose clock was ahead",
    "late_attempts": "Attempts that came too late for an outage",
    "dropped by publishers": "Events that publishers dropped before they reached the broker",
}


def overview(visit: Visit) -> Response:
    """Show what somebody on call looks at first."""
    office, now = visit.office, visit.now
    found = office.examine(now)
    today = now.astimezone(office.zone).date()
    counted = office.desk.count_open()
    lanes = {name: found.lanes.get(name, LaneState(name)) for name in sorted({*office.channels, *found.lanes})}
    return visit.show(
        "overview.html",
        found=found,
        verdict=_verdict([finding.state for finding in found.findings]),
        firing=office.desk.firing_alerts(limit=_MOST),
        open=counted.total(),
        counted={severity: counted[severity] for severity in _SEVERITIES},
        spent=office.book.total(Days(today, today)),
        lanes=lanes,
        lane_words={name: lane_words(lane, now) for name, lane in lanes.items()},
        channels=office.channels,
        counter_names=COUNTERS,
    )


def lane_words(lane: LaneState, now: datetime) -> tuple[State, str]:
    """Say how a lane is, and whether that is well."""
    if lane.broken_since is not None:
        return State.PROBLEM, "broken, and announced as such"
    if lane.failing_since is not None:
        bad = now - lane.failing_since > PATIENCE
        return State.PROBLEM if bad else State.NOTE, "every attempt fails"
    if lane.paused_until is not None:
        return State.NOTE, "its receiver asked to wait"
    if lane.waiting_since is not None and now - lane.waiting_since > PATIENCE:
        return State.PROBLEM, "messages wait too long"
    return State.OK, "sending" if lane.busy and lane.waiting else "well"


def _verdict(states: list[State]) -> State:
    if State.PROBLEM in states:
        return State.PROBLEM
    return State.NOTE if State.NOTE in states else State.OK


ROUTES: Final = (page("/", overview),)
