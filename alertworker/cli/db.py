"""``alertworker db``: the database."""

from __future__ import annotations

import click


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to the newest version; safe to repeat."""
    from alertworker.app import build_engine
    from alertworker.settings import load_settings
    from alertworker.store.migrations import upgrade as run

    run(build_engine(load_settings()))
    click.echo("The schema is up to date.")
