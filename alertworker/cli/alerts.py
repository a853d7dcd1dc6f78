"""``alertworker alerts``: what was judged, whether or not anybody was told."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Any

import click

from alertworker.cli.listing import AS_JSON, LIMIT, show_rows
from alertworker.errors import AlertWorkerError


@click.group(invoke_without_command=True)
@click.pass_context
def alerts(context: click.Context) -> None:
    """Look at alerts; without a command, list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@alerts.command("list")
@LIMIT
@AS_JSON
@click.option("--open", "open_only", is_flag=True, help="Only those that are open.")
def list_(limit: int, as_json: bool, open_only: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List alerts, newest first."""
    from alertworker.app import build_desk

    rows = [
        {
            "id": row.id,
            "state": _state(row),
            "severity": row.severity,
            "type": row.type,
            "count": row.count,
            "since": row.first_at.isoformat(timespec="seconds"),
            "headline": row.headline,
        }
        for row in build_desk().alerts(open_only=open_only, limit=limit)
    ]
    show_rows(rows, text="headline", as_json=as_json, empty="No alerts.")


@alerts.command()
@click.argument("alert_id")
def show(alert_id: str) -> None:
    """Print one alert with its notifications and their attempts, as JSON."""
    from alertworker.app import build_desk

    desk = build_desk()
    row = desk.alert(alert_id)
    if row is None:
        raise AlertWorkerError(f"there is no alert {alert_id}; `alertworker alerts` names them")
    notifications = [
        {name: value for name, value in found._asdict().items() if name not in ("message", "body")}
        | {"attempts": [attempt._asdict() for attempt in desk.attempts(found.id)]}
        for found in desk.notifications(alert_id=alert_id)
    ]
    click.echo(json.dumps(row._asdict() | {"notifications": notifications}, indent=2, default=str))


@alerts.command()
@click.argument("alert_id")
@click.option("--by", default=getpass.getuser, help="Who; by default the user of this machine.")
@click.option("--note", default="", help="Why, or what is being done.")
def ack(alert_id: str, by: str, note: str) -> None:
    """Acknowledge an open alert: no more reminders."""
    from alertworker.app import build_desk

    if not build_desk().acknowledge(alert_id, by=by, note=note, now=datetime.now(UTC)):
        raise AlertWorkerError(f"there is no open alert {alert_id}; `alertworker alerts list --open` names them")
    click.echo(f"acknowledged by {by}")


def _state(row: Any) -> str:
    if not row.open_fingerprint:
        return "closed"
    return "muted" if row.muted_by else "acked" if row.acked_at else "open"
