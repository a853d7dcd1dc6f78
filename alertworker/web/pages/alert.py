"""``/alerts/ID``: one alert with its details, its notifications and the form to acknowledge it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from alertworker.alerts.stored import StoredReader
from alertworker.channels.text_tables import cells
from alertworker.web.pages.timeline import Told, timeline
from alertworker.web.pages.views import Trouble, Visit, action, page

#: How many earlier and later alerts with the same fingerprint are shown.
_HISTORY: Final = 10
#: How many notifications are shown, newest first.
_MESSAGES: Final = 100


def alert(visit: Visit) -> Response:
    """Show one alert."""
    desk = visit.office.desk
    row = _row(visit)
    members, parts = desk.occurrences(row.id)
    attempts = desk.attempts_of(row.id)
    rows = desk.notifications(alert_id=row.id, limit=_MESSAGES)
    stored = StoredReader()
    tables = stored.tables(row.tables)
    shown = {label for table in tables for label in table.instead_of}
    notifications = [_told(visit, stored, found, attempts.get(found.id, ())) for found in rows]
    return visit.show(
        "alert.html",
        alert=row,
        facts={name: value for name, value in row.facts.items() if name not in shown},
        tables=tables,
        cells=cells,
        members=members,
        parts=parts,
        notifications=notifications,
        more=len(notifications) == _MESSAGES,
        timeline=timeline(row, notifications),
        history=[other for other in desk.alerts(fingerprint=row.fingerprint, limit=_HISTORY + 1) if other.id != row.id],
        channels=visit.office.channels,
    )


def acknowledge(visit: Visit) -> Response:
    """Acknowledge an open alert, which stops its reminders."""
    row = _row(visit)
    by = visit.form.line("by") or visit.session.name
    done = visit.office.desk.acknowledge(row.id, by=by, note=visit.form.note("note"), now=visit.now)
    return visit.go(f"/alerts/{row.id}", done="acknowledged" if done else "closed")


def _row(visit: Visit) -> Any:
    row = visit.office.desk.alert(visit.id)
    if row is None:
        raise Trouble(404, "No such alert", "No alert has this id. Closed alerts are deleted after retention_days.")
    return row


def _told(visit: Visit, stored: StoredReader, row: Any, attempts: Sequence[Any]) -> Told:
    sent_as = visit.office.desk.notification(row.merged_into) if row.merged_into else None
    return Told(row, stored.message(row.message), attempts, pretty(row.body), sent_as)


def pretty(body: str | None) -> str | None:
    """Return a body for display: JSON indented, any other text unchanged."""
    if body is None:
        return None
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


ROUTES: Final = (page("/alerts/{id}", alert), action("/alerts/{id}/acknowledge", acknowledge))
