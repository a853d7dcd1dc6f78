"""``alertworker explain``: a dry run of events, printed as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, TypedDict
from zoneinfo import ZoneInfo

import click

from alertworker.errors import AlertWorkerError
from alertworker.text.format import spell_moment
from alertworker.text.sanitize import clean, one_line

if TYPE_CHECKING:
    from alertworker.alerts.suppression import Suppression
    from alertworker.pipeline import DryRunEvent, NotifyOutcome, Runtime
    from alertworker.routing.silences import Silence


class _Channel(TypedDict):
    """An alert's message to one channel. Without the channel's configuration, ``kind`` and ``body`` are ``None``."""

    channel: str
    kind: str | None
    lane: str
    body: str | None


class _Alert(TypedDict):
    """An alert as the command prints it."""

    detector: str
    severity: str
    headline: str
    fingerprint: str
    labels: Mapping[str, str]
    count: int
    step: str | None
    outcome: str
    suppressed_by: str | None
    receivers: list[str]
    muted_now: list[str]
    channels: list[_Channel]


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--fresh", is_flag=True, help="Start from an empty database in memory: no open alerts, silences or counts."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one for each event.")
def explain(file: BinaryIO, fresh: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what the events in FILE would cause: alerts, suppression, routes, lanes and messages.

    The events are applied one after the other, as a worker would, with the open alerts and silences of now. Then all
    changes are rolled back. Nothing is sent. FILE has the form that `publish` reads. Exits with 1 if an event is
    invalid.
    """
    from alertworker import pipeline
    from alertworker.app import build_dry_run
    from alertworker.cli.event_file import read_events
    from alertworker.events.batch import MAX_BATCH_EVENTS
    from alertworker.health import describe_lane
    from alertworker.ports import LaneState
    from alertworker.settings import load_settings

    items, now = read_events(file, most=MAX_BATCH_EVENTS), datetime.now(UTC)
    runtime = build_dry_run(load_settings(), fresh=fresh)
    found = pipeline.dry_run(items, runtime, now=now)
    silences = {silence.id: silence for silence in runtime.store.run(lambda tx: tx.silences.current(now=now))}
    states = runtime.store.lanes.states(now=now)

    def lane(name: str) -> str:
        return describe_lane(states.get(name, LaneState(name)), runtime.zone, now=now)

    for event in found:
        alerts = [_described(outcome, runtime, silences, lane) for outcome in event.outcomes]
        if as_json:
            document = {"event": event.index, "type": event.type, "refused": event.refused, "alerts": alerts}
            click.echo(json.dumps(document, default=str))
        else:
            _print(event, alerts)
    if refused := sum(event.refused is not None for event in found):
        raise AlertWorkerError(f"{refused} of {len(found)} events are invalid and would be refused")


def _described(
    outcome: NotifyOutcome, runtime: Runtime, silences: Mapping[str, Silence], lane: Callable[[str], str]
) -> _Alert:
    alert, decision = outcome.alert, outcome.decision
    return {
        "detector": alert.type.value,
        "severity": alert.severity.value,
        "headline": alert.headline,
        "fingerprint": alert.fingerprint,
        "labels": alert.routing_labels,
        "count": alert.count,
        "step": outcome.step.value if outcome.step else None,
        "outcome": _outcome(outcome, runtime, silences),
        "suppressed_by": str(outcome.suppression) if outcome.suppression else None,
        "receivers": list(decision.receivers) if decision else [],
        "muted_now": list(map(runtime.labels.of, decision.mute)) if decision else [],
        "channels": [_channel(name, outcome, runtime, lane) for name in outcome.channels if outcome.message],
    }


def _channel(name: str, outcome: NotifyOutcome, runtime: Runtime, lane: Callable[[str], str]) -> _Channel:
    from alertworker.alerts.advice import annotate

    channel, message, decision = runtime.channels.get(name), outcome.message, outcome.decision
    if message is not None and decision is not None:
        message = annotate(message, decision.annotations_for(name))
    return {
        "channel": runtime.labels.of(name),
        "kind": channel.kind if channel is not None else None,
        "lane": lane(name),
        "body": channel.render(message) if channel is not None and message is not None else None,
    }


def _outcome(outcome: NotifyOutcome, runtime: Runtime, silences: Mapping[str, Silence]) -> str:
    alert, suppression = outcome.alert, outcome.suppression
    if outcome.step is None:
        return f"counted in the open alert {alert.id}, and included in its next summary"
    if suppression is not None:
        return _suppressed(suppression, silences, runtime.zone)
    if outcome.message is not None and outcome.channels:
        return "not sent: shadow is on" if runtime.shadow else "sent"
    if outcome.decision is not None and outcome.decision.channels:
        return "recorded only: no channel of its route accepts this message"
    if alert.type not in runtime.router.types:
        return "recorded only: its type is not in alert_types"
    return "recorded only: no route leads to a channel"


def _suppressed(suppression: Suppression, silences: Mapping[str, Silence], zone: ZoneInfo) -> str:
    from alertworker.alerts.suppression import WAITING, SuppressionReason

    silence = silences.get(suppression.by) if suppression.reason is SuppressionReason.SILENCE else None
    if silence is not None:
        until = spell_moment(silence.ends_at, zone)
        return f"muted until {until} by silence {silence.id} of {silence.author}: {silence.reason}"
    if suppression.reason is SuppressionReason.ALERT:
        return f"muted by the open alert {suppression.by}, which explains it"
    if suppression.reason is SuppressionReason.TIME:
        return "muted by a time interval of its route"
    if suppression.reason in WAITING:
        until = spell_moment(datetime.fromisoformat(suppression.by), zone)
        return f"waits until {until} at most, because more calls may show a larger or more severe outage"
    return f"suppressed: {suppression}"


def _print(event: DryRunEvent, alerts: Sequence[_Alert]) -> None:
    click.echo(f"event {event.index}: {event.type or 'refused'}")
    lines = [event.refused] if event.refused else [line for alert in alerts for line in _lines(alert)]
    for line in lines or ["no alert"]:
        click.echo(f"  {line}")


def _lines(alert: _Alert) -> Iterator[str]:
    yield one_line(f"{alert['detector']} [{alert['severity']}] {alert['headline']}")
    yield f"  {alert['step'] or 'no new message'}: {one_line(alert['outcome'])}"
    labels = ", ".join(f'{name}="{value}"' for name, value in alert["labels"].items())
    yield f"  labels: {one_line(labels)}"
    if alert["receivers"]:
        yield f"  receivers: {one_line(', '.join(alert['receivers']))}"
    if alert["muted_now"]:
        yield f"  muted by a time interval: {', '.join(alert['muted_now'])}"
    for channel in alert["channels"]:
        yield f"  channel {channel['channel']} ({channel['kind'] or 'not configured'}), lane: {channel['lane']}"
        yield from (f"    {clean(line)}" for line in (channel["body"] or "").splitlines())
