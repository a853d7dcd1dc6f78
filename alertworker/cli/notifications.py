"""``alertworker notifications``: list and show notifications."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from alertworker.cli.output import AS_JSON, LIMIT, configured_labels, show_rows, show_whole
from alertworker.cli.params import SINCE
from alertworker.delivery.status import NotificationStatus
from alertworker.errors import AlertWorkerError

if TYPE_CHECKING:
    from alertworker.ports.admin import NotificationRow


@click.group(invoke_without_command=True)
@click.pass_context
def notifications(context: click.Context) -> None:
    """List and show sent and pending notifications. Without a command: list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@notifications.command("list")
@click.option("--alert", "alert_id", help="Only notifications of this alert.")
@click.option("--channel", help="Only notifications to this channel.")
@click.option("--status", type=click.Choice([status.value for status in NotificationStatus]), help="Only this status.")
@SINCE
@LIMIT
@AS_JSON
def list_(
    *,
    limit: int = 50,
    as_json: bool = False,
    alert_id: str | None = None,
    channel: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
) -> None:
    """List notifications, newest first. A merged notification names the notification that it was merged into."""
    from alertworker.app import build_admin_store

    labels = configured_labels()
    found = build_admin_store().notifications(
        alert_id=alert_id, channel=channel and labels.name_of(channel), status=status, since=since, limit=limit
    )
    rows = [
        {
            "id": row.id,
            "alert": row.alert_id,
            "step": row.step,
            "channel": labels.of(row.channel),
            "status": row.status,
            "retries": row.attempts,
            "at": row.settled_at or row.next_attempt_at,
            "answer": _said(row),
        }
        for row in found
    ]
    show_rows(rows, text="answer", as_json=as_json, empty="No notifications.")


@notifications.command()
@click.argument("notification_id")
def show(notification_id: str) -> None:
    """Print one notification as JSON: message, body, attempts, and the notifications that were merged into it."""
    from alertworker.app import build_admin_store

    admin = build_admin_store()
    row = admin.notification(notification_id)
    if row is None:
        raise AlertWorkerError(f"unknown notification {notification_id}; `alertworker notifications` lists the ids")
    attempts = [asdict(attempt) for attempt in admin.attempts(row.id)]
    merged = sorted(other.id for other in admin.notifications(merged_into=row.id, limit=10_000))
    whole = asdict(row) | {"channel": configured_labels().of(row.channel)}
    show_whole(whole | {"message": json.loads(row.message), "attempts_made": attempts, "merged_from": merged})


def _said(row: NotificationRow) -> str:
    if row.merged_into:
        return f"merged into {row.merged_into}"
    return str(row.answer or row.reason or "")
