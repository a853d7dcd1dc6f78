"""``alertworker schema``: print the JSON Schema of events, of webhook documents or of the configuration."""

from __future__ import annotations

import click

from alertworker.cli.output import ONE_AS_JSON, show_whole


@click.command()
@click.argument("what", type=click.Choice(("events", "webhook", "config")), default="events")
@ONE_AS_JSON
def schema(what: str, *, as_json: bool) -> None:
    """Print the JSON Schema of events, of the documents that webhook channels send, or of the configuration file."""
    if what == "webhook":
        from alertworker.channels import webhook_document

        document = webhook_document.schema()
    elif what == "config":
        from alertworker.settings.schema import file_schema

        document = file_schema()
    else:
        from alertworker.events import EVENTS

        document = EVENTS.json_schema()
    show_whole(document, as_json=as_json)
