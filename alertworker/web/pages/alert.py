"""``/alerts/ID``: one alert with its details, its notifications and the form to acknowledge it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

from starlette.responses import Response

from alertworker import pipeline
from alertworker.alerts.advice import Annotations, advise
from alertworker.alerts.catalogue import AlertKind, AlertType
from alertworker.alerts.stored import StoredReader
from alertworker.channels.text_tables import cells
from alertworker.ports.admin import AttemptRow, NotificationRow
from alertworker.ports.alert_search import AlertFilter, AlertRow
from alertworker.web.pages.timeline import Notified, timeline
from alertworker.web.pages.views import PageError, Visit, action, page

#: How many earlier and later alerts with the same fingerprint are shown.
_HISTORY: Final = 10
#: How many notifications are shown, newest first.
_MESSAGES: Final = 100


def alert(visit: Visit) -> Response:
    """Show one alert."""
    admin = visit.context.admin
    row = _current(visit, _row(visit))
    occurrences = admin.occurrences(row.id)
    attempts = admin.alerts.attempts_of(row.id)
    notifications = admin.notifications(alert_id=row.id, limit=_MESSAGES)
    history = admin.alerts.search(AlertFilter(fingerprint=row.fingerprint), limit=_HISTORY + 1).alerts
    stored = StoredReader()
    tables = stored.tables(row.tables)
    shown = {label for table in tables for label in table.instead_of}
    notified = [_notified(visit, stored, found, attempts.get(found.id, ())) for found in notifications]
    return visit.show(
        "alert.html",
        alert=row,
        advice=_advice(visit, row),
        facts={name: value for name, value in row.facts.items() if name not in shown},
        tables=tables,
        cells=cells,
        members=occurrences.members,
        parts=occurrences.parts,
        notified=notified,
        more=len(notified) == _MESSAGES,
        timeline=timeline(row, notified),
        history=[other for other in history if other.id != row.id],
        channels=visit.context.channels,
    )


def acknowledge(visit: Visit) -> Response:
    """Acknowledge an open alert, which stops its reminders."""
    row = _row(visit)
    by = visit.form.single_line("by") or visit.session.name
    done = visit.context.admin.acknowledge(row.id, by=by, note=visit.form.note("note"), now=visit.now)
    return visit.go(f"/alerts/{row.id}", done="acknowledged" if done else "closed")


def _row(visit: Visit) -> AlertRow:
    row = visit.context.admin.alerts.find(visit.id)
    if row is None:
        raise PageError(404, "No such alert", "No alert has this id. Closed alerts are deleted after retention_days.")
    return row


def _advice(visit: Visit, row: AlertRow) -> list[Annotations]:
    """Return what to do: one entry for each route with its own annotations, none for a condition that has ended."""
    ended = row.kind == AlertKind.CONDITION.value and row.open_fingerprint is None
    if ended or row.type not in set(AlertType):
        return []
    alert_type, severity = AlertType(row.type), StoredReader().severity(row.severity)
    labels = {**row.labels, "alert_type": alert_type.value, "severity": severity.value}
    decision = visit.context.router.decide(alert_type, labels, now=visit.now)
    ours = Annotations(note=advise(alert_type, severity, row.labels))
    found = list(decision.annotations.values()) or [decision.usual]
    return list(dict.fromkeys(one.over(ours) for one in found))


def _current(visit: Visit, row: AlertRow) -> AlertRow:
    context = visit.context
    return context.admin.in_transaction(partial(pipeline.current_row, row=row, zone=context.zone, now=visit.now))


def _notified(visit: Visit, stored: StoredReader, row: NotificationRow, attempts: Sequence[AttemptRow]) -> Notified:
    sent_as = visit.context.admin.notification(row.merged_into) if row.merged_into else None
    channel = visit.context.labels.of(row.channel)
    return Notified(row, channel, stored.message(row.message), attempts, format_body(row.body), sent_as)


def format_body(body: str | None) -> str | None:
    """Return a body for display: JSON indented, any other text unchanged."""
    if body is None:
        return None
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


ROUTES: Final = (page("/alerts/{id}", alert), action("/alerts/{id}/acknowledge", acknowledge))
