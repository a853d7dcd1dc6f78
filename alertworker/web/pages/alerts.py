"""``/alerts``: search alerts by state, severity, type, time and labels."""

from __future__ import annotations

from collections.abc import Container
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.ports.alert_search import AlertFilter, StateFilter
from alertworker.routing.matchers import Matcher, MatcherError, parse_list
from alertworker.web.pages.views import Visit, page

#: How many alerts one page shows.
PER_PAGE: Final = 50
#: The length of each period that the page offers, by its name in the URL.
_SINCE: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
#: Earlier names of states, which bookmarks may have.
_RENAMED: Final = {"muted": StateFilter.SUPPRESSED.value}
_FIELDS: Final = ("state", "severity", "type", "labels", "since")


def alerts(visit: Visit) -> Response:
    """List alerts, newest first."""
    asked = {name: visit.parameter(name) for name in _FIELDS}
    asked["state"] = _RENAMED.get(asked["state"], asked["state"])
    wrong = None
    matchers: tuple[Matcher, ...] = ()
    try:
        matchers = parse_list(asked["labels"])
    except MatcherError as error:
        wrong = str(error)
    wanted = AlertFilter(
        state=StateFilter(asked["state"]) if asked["state"] in list(StateFilter) else None,
        severity=_known(asked["severity"], [severity.value for severity in Severity]),
        type=_known(asked["type"], [alert_type.value for alert_type in AlertType]),
        since=visit.now - _SINCE[asked["since"]] if asked["since"] in _SINCE else None,
        matchers=matchers,
    )
    after = visit.parameter("after") or None
    found = visit.context.admin.alerts.search(wanted, after=after, limit=PER_PAGE)
    kept = {name: value for name, value in asked.items() if value}
    return visit.show(
        "alerts.html",
        rows=found.alerts,
        asked=asked,
        wrong=wrong,
        states=[state.value for state in StateFilter],
        severities=[severity.value for severity in reversed(Severity)],
        types=[alert_type.value for alert_type in AlertType],
        sinces=list(_SINCE),
        newest="/alerts?" + urlencode(kept) if after else None,
        older="/alerts?" + urlencode({**kept, "after": found.after}) if found.after else None,
        status=422 if wrong else 200,
    )


def _known(value: str, known: Container[str]) -> str | None:
    return value if value in known else None


ROUTES: Final = (page("/alerts", alerts),)
