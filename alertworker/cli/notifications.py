"""``alertworker notifications``: list and show notifications."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from alertworker.cli.grammar import noun
from alertworker.cli.ids import find_one, whole_id
from alertworker.cli.output import AS_JSON, LIMIT, ONE_AS_JSON, configured_labels, show_rows, show_whole
from alertworker.cli.params import SINCE
from alertworker.delivery.status import NotificationStatus
from alertworker.text.ids import IdKind

if TYPE_CHECKING:
    from alertworker.ports.admin import NotificationRow


@noun
def notifications() -> None:
    """List and show sent and pending notifications. Without a command: list them."""


@notifications.command("list")
@click.option("--alert", "alert_id", help="Only notifications of this alert. The beginning of its id is enough.")
@click.option("--channel", help="Only notifications to this channel.")
@click.option("--status", type=click.Choice([status.value for status in NotificationStatus]), help="Only this status.")
@SINCE
@LIMIT
@AS_JSON
def list_(
    *,
    limit: int,
    as_json: bool,
    alert_id: str | None,
    channel: str | None,
    status: str | None,
    since: datetime | None,
) -> None:
    """List notifications, newest first. A merged notification names the notification that it was merged into."""
    from alertworker.app import build_admin_store

    labels, admin = configured_labels(), build_admin_store()
    alert_id = whole_id(admin, IdKind.ALERT, alert_id) if alert_id is not None else None
    found = admin.notifications(
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
@ONE_AS_JSON
def show(notification_id: str, *, as_json: bool) -> None:
    """Print one notification as JSON: message, body, attempts, and the notifications that were merged into it.

    The beginning of its id is enough if no other id begins so.
    """
    from alertworker.app import build_admin_store

    admin = build_admin_store()
    row = find_one(admin, IdKind.NOTIFICATION, notification_id, admin.notification)
    attempts = [asdict(attempt) for attempt in admin.attempts(row.id)]
    merged = sorted(other.id for other in admin.notifications(merged_into=row.id, limit=10_000))
    more = {"message": json.loads(row.message), "attempts_made": attempts, "merged_from": merged}
    show_whole(asdict(row) | {"channel": configured_labels().of(row.channel)} | more, as_json=as_json)


def _said(row: NotificationRow) -> str:
    if row.merged_into:
        return f"merged into {row.merged_into}"
    return str(row.answer or row.reason or "")
