"""``alertworker alerts``: list, show and acknowledge alerts, whether or not a channel was notified."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Final

import click

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.state import AlertState
from alertworker.cli.grammar import noun
from alertworker.cli.ids import find_one, whole_id
from alertworker.cli.output import AS_JSON, LIMIT, ONE_AS_JSON, configured_zone, show_done, show_rows, show_whole
from alertworker.cli.params import BY, SINCE
from alertworker.errors import AlertWorkerError
from alertworker.text.ids import IdKind
from alertworker.text.names import shorten_hashes

#: How the command line names each state.
_STATES: Final = {
    AlertState.FIRING: "open",
    AlertState.ACKNOWLEDGED: "acked",
    AlertState.SUPPRESSED: "suppressed",
    AlertState.CLOSED: "closed",
}


@noun
def alerts() -> None:
    """List, show and acknowledge alerts. Without a command: list them."""


@alerts.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only open alerts.")
@click.option("--suppressed", is_flag=True, help="Only alerts with a suppressed message.")
@click.option("--muted", is_flag=True, hidden=True, help="The earlier name of --suppressed.")
@click.option(
    "--type",
    "alert_type",
    type=click.Choice([alert_type.value for alert_type in AlertType]),
    metavar="TYPE",
    help="Only alerts of this type.",
)
@SINCE
@LIMIT
@AS_JSON
def list_(
    *,
    limit: int,
    as_json: bool,
    open_only: bool,
    suppressed: bool,
    muted: bool,
    alert_type: str | None,
    since: datetime | None,
) -> None:
    """List alerts, newest first."""
    from alertworker.app import build_admin_store
    from alertworker.ports.alert_search import AlertFilter, StateFilter

    wanted = AlertFilter(
        state=StateFilter.OPEN if open_only else None, type=alert_type, since=since, suppressed=suppressed or muted
    )
    found = build_admin_store().alerts.search(wanted, limit=limit)
    rows = [
        {
            "id": row.id,
            "state": _STATES[row.state],
            "severity": row.severity,
            "type": row.type,
            "count": row.count,
            "since": row.first_at,
            "suppressed_by": row.suppressed_by or row.last_suppressed_by,
            "headline": shorten_hashes(row.headline),
        }
        for row in found.alerts
    ]
    show_rows(rows, text="headline", as_json=as_json, empty="No alerts.")


@alerts.command()
@click.argument("alert_id")
@ONE_AS_JSON
def show(alert_id: str, *, as_json: bool) -> None:
    """Print one alert as JSON, with its suppression, its notifications and their attempts.

    The beginning of an id is enough if no other id begins so.

    ``history`` lists other alerts with the same fingerprint, newest first.
    """
    from alertworker.app import build_admin_store
    from alertworker.pipeline import current_row
    from alertworker.ports.alert_search import AlertFilter

    admin = build_admin_store()
    row = find_one(admin, IdKind.ALERT, alert_id, admin.alerts.find)
    alert_id = row.id
    row = admin.in_transaction(partial(current_row, row=row, zone=configured_zone(), now=datetime.now(UTC)))
    notifications = [
        {name: value for name, value in asdict(found).items() if name not in ("message", "body")}
        | {"attempts_made": [asdict(attempt) for attempt in admin.attempts(found.id)]}
        for found in admin.notifications(alert_id=alert_id)
    ]
    history = [
        {name: getattr(other, name) for name in ("id", "opened_at", "closed_at", "count", "level")}
        for other in admin.alerts.search(AlertFilter(fingerprint=row.fingerprint), limit=20).alerts
        if other.id != alert_id
    ]
    more = {**asdict(admin.occurrences(alert_id)), "notifications": notifications, "history": history}
    show_whole({"state": _STATES[row.state]} | asdict(row) | more, as_json=as_json)


@alerts.command()
@click.argument("alert_id")
@BY
@click.option("--note", default="", help="What you are doing about it.")
@ONE_AS_JSON
def ack(alert_id: str, by: str, note: str, *, as_json: bool) -> None:
    """Acknowledge an open alert, which stops its reminders. The beginning of its id is enough."""
    from alertworker.app import build_admin_store

    admin = build_admin_store()
    alert_id = whole_id(admin, IdKind.ALERT, alert_id)
    if not admin.acknowledge(alert_id, by=by, note=note, now=datetime.now(UTC)):
        raise AlertWorkerError(f"unknown open alert {alert_id}; `alertworker alerts list --open` lists the ids")
    show_done(f"acknowledged by {by}", {"id": alert_id, "acknowledged_by": by}, as_json=as_json)
