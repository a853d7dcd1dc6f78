"""``alertworker alerts``: what was judged, whether or not anybody was told."""

from __future__ import annotations

import click


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def alerts(limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List alerts, newest first."""
    from alertworker.app import build_store
    from alertworker.cli.listing import show
    from alertworker.settings import load_settings

    rows = [
        {
            "id": row.id,
            "state": "open" if row.open_fingerprint else "closed",
            "severity": row.severity,
            "type": row.type,
            "count": row.count,
            "since": row.first_at.isoformat(timespec="seconds"),
            "headline": row.headline,
        }
        for row in build_store(load_settings()).alerts(limit=limit)
    ]
    show(rows, text="headline", as_json=as_json, empty="No alerts.")
