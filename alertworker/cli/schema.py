"""``alertworker schema``: print the JSON Schema of events, of webhook documents or of the configuration."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("what", type=click.Choice(("events", "webhook", "config")), default="events")
def schema(what: str) -> None:
    """Print the JSON Schema of events, of the documents that webhook channels send, or of the configuration file."""
    if what == "webhook":
        from alertworker.channels import webhook_document

        click.echo(webhook_document.schema())
    elif what == "config":
        from alertworker.settings.schema import file_schema

        click.echo(json.dumps(file_schema(), indent=2))
    else:
        from alertworker.events import EVENTS

        click.echo(json.dumps(EVENTS.json_schema(), indent=2))
