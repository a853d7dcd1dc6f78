"""Claim, mute and route: an alert becomes or joins a row, and its message is written in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import COVERED_BY, MAX_MEMBERS, AlertType, Kind
from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.pipeline.runtime import Runtime, Verdict
from alertworker.ports import Transaction
from alertworker.routing.inhibitions import OpenCondition, SourceFilter, find_inhibitor
from alertworker.routing.router import Decision
from alertworker.routing.silences import find_silence

#: How soon it is noticed that nothing mutes a condition any more.
LOOK_AGAIN: Final = timedelta(seconds=2)


def claim(tx: Transaction, alert: Alert, runtime: Runtime, *, now: datetime) -> OpenAlert:
    """Raise the alert; a claim that opens it, or makes it rise, also writes a message, all others are counted."""
    claimed = tx.raise_alert(alert, next_summary_at=now, now=now)
    tx.add_members(claimed.id, claimed.count, alert.members)
    tx.add_parts(claimed.id, alert.parts)
    if claimed.opened:
        tx.attach(claimed.id, alert.attachments)
    if claimed.opened or claimed.rose:
        tell(tx, claimed, Step.FIRING if alert.kind is Kind.CONDITION else Step.NOTICE, runtime, now=now)
    else:
        runtime.watch(Verdict(claimed))
    return claimed


def tell(tx: Transaction, alert: OpenAlert, step: Step, runtime: Runtime, *, now: datetime) -> None:
    """Write the notifications of one step, unless something mutes the alert: muting withholds messages, never alerts.

    A condition that is muted stays untold until nothing mutes it any more, also where only some of its channels are, at
    this hour; a notice that is muted is counted.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    muted_by = _muted_by(tx, alert, decision, runtime, now=now)
    channels = _channels(alert, decision, runtime)
    if muted_by is None and not channels:
        tx.count("no_route", alert.type.value)
        tx.withhold(alert.id, "no route")
    if muted_by is not None and muted_by != alert.muted_by:
        tx.count("muted", muted_by.split()[0])
        tx.withhold(alert.id, muted_by)
    verdict = Verdict(alert, step, decision, muted_by, channels)
    if muted_by is not None and step is Step.FIRING:
        tx.mute(alert.id, muted_by, look_again_at=now + LOOK_AGAIN)
        runtime.watch(verdict)
        return
    if muted_by is None:
        message, wanted = write(tx, alert, step, channels, runtime, now=now)
        verdict = replace(verdict, channels=wanted, message=message)
        tx.count("muted", "time", len(decision.mute))
    else:
        tx.take_parts(alert.id)  # what is counted as told is divided as told
    runtime.watch(verdict)
    if step is Step.FIRING and decision.mute != alert.owed:
        tx.owe(alert.id, decision.mute)
    _record(tx, alert, decision, now=now)


def is_still_muted(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether a condition is muted by what muted it before, so that nothing changes but when to look again."""
    if alert.muted_by is None:
        return False
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    return _muted_by(tx, alert, decision, runtime, now=now) == alert.muted_by


def catch_up(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Tell those channels of a condition that were mute when it fired and speak now; others have heard of it.

    One that the alert's route no longer leads to is owed nothing. False where they speak, and something else mutes the
    condition.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    late = tuple(name for name in _channels(alert, decision, runtime) if name in alert.owed)
    if late and _muted_by(tx, alert, decision, runtime, now=now) is not None:
        return False
    if late:
        message = _compose(tx, replace(alert, told=0), Step.FIRING, {}, runtime, now=now)
        wanted = _takers(message, late, runtime)
        tx.notify(message, f"{Step.FIRING.value}:{alert.summaries}", wanted, now=now)
        runtime.watch(Verdict(alert, Step.FIRING, decision, channels=wanted, message=message))
    owed = tuple(name for name in alert.owed if name in decision.mute)
    if owed != alert.owed:
        tx.owe(alert.id, owed)
    return True


def resolve(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Close a condition and tell those who were told of it, and nobody else, whatever mutes it now."""
    channels = tx.told_channels(alert.id, shadow=runtime.shadow)
    verdict = Verdict(alert, Step.RESOLVED)
    if channels:
        message, wanted = write(tx, alert, Step.RESOLVED, channels, runtime, now=now)
        verdict = replace(verdict, channels=wanted, message=message)
    runtime.watch(verdict)
    tx.close(alert.id, count=alert.count, now=now)


def write(
    tx: Transaction, alert: OpenAlert, step: Step, channels: tuple[str, ...], runtime: Runtime, *, now: datetime
) -> tuple[Message, tuple[str, ...]]:
    """Write one message to those of these channels that take it, and give it with their names.

    It counts what no message before it has counted.
    """
    message = _compose(tx, alert, step, tx.take_parts(alert.id), runtime, now=now)
    wanted = _takers(message, channels, runtime)
    if channels and not wanted and step is not Step.RESOLVED:  # an end goes to those alone who took the beginning
        tx.count("not_taken", alert.type.value)
        tx.withhold(alert.id, "not taken by its channels")
    tx.notify(message, f"{step.value}:{alert.summaries}", wanted, now=now)
    return message, wanted


def _compose(
    tx: Transaction, alert: OpenAlert, step: Step, parts: Mapping[str, int], runtime: Runtime, *, now: datetime
) -> Message:
    members = tx.members_since(alert.id, alert.told, MAX_MEMBERS)
    return compose(alert, step, members, parts, at=now, proxy_url=runtime.proxy_url, public_url=runtime.public_url)


def _takers(message: Message, channels: tuple[str, ...], runtime: Runtime) -> tuple[str, ...]:
    return tuple(name for name in channels if name not in runtime.channels or runtime.channels[name].takes(message))


def _channels(alert: OpenAlert, decision: Decision, runtime: Runtime) -> tuple[str, ...]:
    """Give where it goes. A channel's own trouble is told over others: where none is routed, over those for people.

    A budget's owners are told whenever somebody else is.
    """
    broken = alert.labels.get("channel")
    if broken is None:
        owners = runtime.owner_mail if alert.figures is not None and decision.channels else None
        return decision.channels if owners is None else (*decision.channels, owners)
    routed = tuple(name for name in decision.channels if name != broken)
    if routed or not decision.channels:
        return routed
    return tuple(name for name, channel in runtime.channels.items() if name != broken and channel.digest_size)


def _record(tx: Transaction, alert: OpenAlert, decision: Decision, *, now: datetime) -> None:
    next_summary_at = now + timedelta(seconds=decision.group_interval)
    tx.told(alert.id, count=alert.count, next_summary_at=next_summary_at, now=now)
    if alert.kind is Kind.CONDITION:
        tx.remind_at(alert.id, now + timedelta(seconds=decision.repeat_interval))


def _muted_by(tx: Transaction, alert: OpenAlert, decision: Decision, runtime: Runtime, *, now: datetime) -> str | None:
    labels = alert.routing_labels
    if COVERED_BY in labels:
        return f"covered by {labels[COVERED_BY]}"
    silence = find_silence(labels, tx.silences(now=now), now=now)
    if silence is not None:
        return f"silence {silence.id}"
    inhibitor = find_inhibitor(alert.id, labels, runtime.inhibitions, partial(_routed, tx, runtime, now))
    if inhibitor is not None:
        return f"alert {inhibitor.id}"
    return "time" if decision.mute and not decision.channels else None


def _routed(tx: Transaction, runtime: Runtime, now: datetime, wanted: SourceFilter) -> Iterator[OpenCondition]:
    """Give the open conditions that go to somebody, if not at this hour: one that nobody hears of explains nothing."""
    on = SourceFilter(wanted.types & runtime.router.types, wanted.labels)
    for one in tx.open_conditions(on) if on.types else ():
        decision = runtime.router.decide(AlertType(one.labels["alert_type"]), one.labels, now=now)
        if decision.channels or decision.mute:
            yield one
