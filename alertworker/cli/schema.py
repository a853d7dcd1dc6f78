"""``alertworker schema``: the contract, for producers in any language."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of a batch's events."""
    from alertworker.events import EVENTS

    click.echo(json.dumps(EVENTS.json_schema(), indent=2))
