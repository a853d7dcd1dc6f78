"""``alertworker db``: upgrade the database."""

from __future__ import annotations

import click


@click.group()
def db() -> None:
    """Upgrade the database."""


@db.command()
def upgrade() -> None:
    """Upgrade the schema to the newest version. A second run changes nothing."""
    from alertworker.app import build_engine
    from alertworker.settings import load_settings
    from alertworker.store.migrations import upgrade as run

    run(build_engine(load_settings()))
    click.echo("The schema is up to date.")
