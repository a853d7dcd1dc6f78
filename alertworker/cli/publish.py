"""``alertworker publish``: publish events from a file."""

from __future__ import annotations

from typing import BinaryIO, Final

import click

from alertworker.cli.output import ONE_AS_JSON, show_done
from alertworker.errors import AlertWorkerError

#: How many refused events are printed.
_MAX_NAMED: Final = 100


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@ONE_AS_JSON
def publish(file: BinaryIO, *, as_json: bool) -> None:
    """Publish the events in FILE: a JSON array, one JSON object, or one object a line.

    Secrets are removed from the events.
    """
    from datetime import UTC, datetime

    from alertworker.app import celery
    from alertworker.cli.event_file import read_events
    from alertworker.events.base import new_id
    from alertworker.events.batch import MAX_BATCH_EVENTS, decode_items, seal
    from alertworker.events.plain_body import without_internal
    from alertworker.integrations.litellm.outgoing import outgoing_json
    from alertworker.publisher import BrokerTransport

    items = read_events(file)
    published = refused = 0
    transport = BrokerTransport(celery.conf.broker_url)
    for first in range(0, len(items), MAX_BATCH_EVENTS):
        decoded = without_internal(decode_items(items[first : first + MAX_BATCH_EVENTS]))
        for bad in decoded.rejected[: max(0, _MAX_NAMED - refused)]:
            click.echo(f"event {first + bad.index}: {bad.reason}", err=True)
        refused += len(decoded.rejected)
        if decoded.events:
            encoded = map(outgoing_json, decoded.events)
            transport.send(seal(encoded, batch_id=str(new_id()), producer="cli", sealed_at=datetime.now(UTC)))
            published += len(decoded.events)
    transport.close()
    if refused > _MAX_NAMED:
        click.echo(f"and {refused - _MAX_NAMED} more", err=True)
    counts = {"published": published, "refused": refused}
    show_done(f"{published} published, {refused} refused", counts, as_json=as_json)
    if refused:
        raise AlertWorkerError("some events were refused; correct them and publish only those")
