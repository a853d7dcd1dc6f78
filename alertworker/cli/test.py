"""``alertworker test``: send a test message through its lane, and print the receiver's answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from alertworker.alerts.catalogue import AlertType
from alertworker.cli.output import cell, fixed, free, print_table
from alertworker.cli.params import Choice
from alertworker.errors import AlertWorkerError


def _services() -> list[str]:
    from alertworker.channels import CONFIGS

    return sorted(CONFIGS)


@click.command()
@click.argument("service", type=Choice(_services), metavar="SERVICE")
@click.option(
    "--alert-type",
    type=click.Choice([alert_type.value for alert_type in AlertType]),
    metavar="TYPE",
    help="Only the channels of this alert type.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the body that was sent.")
def test(service: str, alert_type: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Send a test message to every channel of SERVICE, through its lane, and print each receiver's answer.

    The message is attempted once, ahead of waiting messages. It is neither grouped nor silenced. With `shadow` nothing
    is sent, which the output shows. Exits with 1 if a receiver did not accept the message.
    """
    from alertworker import pipeline
    from alertworker.app import build_engine, build_runtime
    from alertworker.settings import load_settings
    from alertworker.store.migrations import upgrade

    settings, now = load_settings(), datetime.now(UTC)
    runtime = build_runtime(settings)
    if alert_type:
        pairs = pipeline.routed_channels(service, [AlertType(alert_type)], runtime)
    else:
        kinds = pipeline.kinds_of(service, runtime.channels.values())
        names = [name for name, channel in runtime.channels.items() if channel.kind in kinds]
        pairs = [(name, AlertType.LLM_EXCEPTIONS) for name in names]
    if not pairs:
        raise AlertWorkerError(f"no {service} channel is configured; `alertworker check` lists the channels")
    if settings.database_url is None:
        upgrade(build_engine(settings))  # The test may run before anything was ever started.
    tests = pipeline.try_channels(pairs, runtime, now=now)
    if as_json:
        fields = ("channel", "type", "status", "answer", "reason", "body")
        for one in tests:
            click.echo(json.dumps({field: getattr(one, field) for field in fields}))
    else:
        rows = [(one.channel, "failed" if one.failed else one.status, cell(one.answer)) for one in tests]
        print_table([fixed("channel"), fixed("result"), free("answer")], rows)
    failures = sum(one.failed for one in tests)
    if failures:
        raise AlertWorkerError(f"{failures} of {len(tests)} channels did not accept the message")
