"""``alertworker publish``: events from a file into the line."""

from __future__ import annotations

from typing import TextIO

import click

from alertworker.cli.event_file import read_events
from alertworker.errors import AlertWorkerError


@click.command()
@click.argument("file", type=click.File(), default="-")
def publish(file: TextIO) -> None:
    """Publish the events in FILE: a JSON array, one JSON object, or one object a line."""
    from datetime import UTC, datetime

    from alertworker.events.base import new_id
    from alertworker.events.batch import MAX_BATCH_EVENTS, decode, seal
    from alertworker.publisher import BrokerTransport
    from alertworker.worker.celery_config import broker_url

    decoded = decode(read_events(file), None)
    for bad in decoded.rejected:
        click.echo(f"event {bad.index}: {bad.reason}", err=True)
    transport = BrokerTransport(broker_url)
    for first in range(0, len(decoded.events), MAX_BATCH_EVENTS):
        events = decoded.events[first : first + MAX_BATCH_EVENTS]
        encoded = [event.model_dump_json(exclude_none=True).encode() for event in events]
        transport.send(seal(encoded, batch_id=str(new_id()), producer="cli", sealed_at=datetime.now(UTC)))
    transport.close()
    click.echo(f"{len(decoded.events)} published, {len(decoded.rejected)} refused")
    if decoded.rejected:
        raise AlertWorkerError("some events were refused; mend and publish those alone")
