"""``alertworker schema``: the JSON Schema of what producers publish, and of what the signed webhook posts."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("what", type=click.Choice(("events", "webhook")), default="events")
def schema(what: str) -> None:
    """Print a JSON Schema: of a batch's events, or of the documents that a channel of kind webhook posts."""
    if what == "webhook":
        from alertworker.channels import webhook

        click.echo(webhook.schema())
        return
    from alertworker.events import EVENTS

    click.echo(json.dumps(EVENTS.json_schema(), indent=2))
