"""``alertworker db``: upgrade the database."""

from __future__ import annotations

import click

from alertworker.cli.grammar import Group
from alertworker.cli.output import ONE_AS_JSON, show_done


@click.group(cls=Group)
def db() -> None:
    """Upgrade the database."""


@db.command()
@ONE_AS_JSON
def upgrade(*, as_json: bool) -> None:
    """Upgrade the schema to the newest version. A second run changes nothing."""
    from alertworker.app import build_engine
    from alertworker.settings import load_settings
    from alertworker.store.migrations import upgrade as run

    run(build_engine(load_settings()))
    show_done("The schema is up to date.", {"up_to_date": True}, as_json=as_json)
