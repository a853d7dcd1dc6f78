"""``alertworker test``: a real message, and what the receiver really said."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from alertworker.alerts import AlertType, Severity
from alertworker.channels import KINDS, build_channel
from alertworker.delivery import DeliveryError
from alertworker.errors import AlertWorkerError
from alertworker.events.base import new_id
from alertworker.messages import Message, Step
from alertworker.settings import load_settings


@click.command()
@click.argument("service", type=click.Choice(sorted(KINDS)))
@click.option("--alert-type", type=click.Choice([kind.value for kind in AlertType]), help="Only this type's channels.")
def test(service: str, alert_type: str | None) -> None:
    """Send a test message to every channel of SERVICE and print each receiver's answer."""
    settings, now = load_settings(), datetime.now(UTC)
    wanted = {config.name for config in settings.channels}
    if alert_type:
        wanted = set(settings.router().decide(AlertType(alert_type), {"alert_type": alert_type}, now=now).channels)
    configs = [config for config in settings.channels if config.kind == service and config.name in wanted]
    if not configs:
        raise AlertWorkerError(f"no {service} channel is configured; `alertworker check` shows what is")
    failed = 0
    for config in configs:
        channel = build_channel(config)
        identity = str(new_id())
        message = Message(
            alert_id=identity,
            type=AlertType(alert_type or AlertType.LLM_EXCEPTIONS),
            severity=Severity.LOW,
            step=Step.TEST,
            headline="This is a test message of alertworker",
            at=now,
            since=now,
        )
        try:
            answer = channel.send(channel.render(message), notification_id=identity)
        except DeliveryError as error:
            failed += 1
            answer = f"failed: {error}"
        click.echo(f"{config.name}: {answer}")
    if failed:
        raise AlertWorkerError(f"{failed} of {len(configs)} channels did not take the message")
