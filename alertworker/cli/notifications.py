"""``alertworker notifications``: what was, or is to be, sent where."""

from __future__ import annotations

import click

from alertworker.cli.listing import AS_JSON, LIMIT, show_rows


@click.command()
@LIMIT
@AS_JSON
@click.option("--alert", "alert_id", help="Only those of one alert.")
def notifications(limit: int, as_json: bool, alert_id: str | None) -> None:  # noqa: FBT001 - click passes flags so
    """List notifications, newest first."""
    from alertworker.app import build_desk

    rows = [
        {
            "id": row.id,
            "alert": row.alert_id,
            "step": row.step,
            "channel": row.channel,
            "status": row.status,
            "attempts": row.attempts,
            "at": (row.settled_at or row.next_attempt_at).isoformat(timespec="seconds"),
            "answer": row.answer or row.reason or "",
        }
        for row in build_desk().notifications(alert_id=alert_id, limit=limit)
    ]
    show_rows(rows, text="answer", as_json=as_json, empty="No notifications.")
