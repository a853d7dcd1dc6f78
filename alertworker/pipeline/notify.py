"""Claim, suppress and route: store an alert, and write its message in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import COVERED_BY, MAX_MEMBERS, AlertType, Kind
from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step, StepKey
from alertworker.alerts.suppression import Suppression, SuppressionReason
from alertworker.pipeline.current import current
from alertworker.pipeline.runtime import NotifyOutcome, Runtime
from alertworker.ports import Transaction
from alertworker.routing.inhibitions import OpenCondition, SourceFilter, find_inhibitor
from alertworker.routing.router import Decision
from alertworker.routing.silences import find_silence
from alertworker.text.names import shorten_hashes

#: How often the sweep checks whether a suppressed condition is still suppressed.
CHECK_AGAIN: Final = timedelta(seconds=2)


def claim(tx: Transaction, alert: Alert, runtime: Runtime, *, now: datetime) -> OpenAlert:
    """Raise the alert. Write a message if that opens it or raises its level; otherwise only count it."""
    alert = replace(alert, headline=shorten_hashes(alert.headline))
    claimed = tx.raise_alert(alert, next_summary_at=now, now=now)
    tx.add_members(claimed.id, claimed.count, alert.members)
    tx.add_parts(claimed.id, alert.parts)
    if claimed.opened:
        tx.attach(claimed.id, alert.attachments)
    if claimed.opened or claimed.rose:
        notify(tx, claimed, Step.FIRING if alert.kind is Kind.CONDITION else Step.NOTICE, runtime, now=now)
    else:
        runtime.watch(NotifyOutcome(claimed))
    return claimed


def notify(tx: Transaction, alert: OpenAlert, step: Step, runtime: Runtime, *, now: datetime) -> None:
    """Write the notifications of one step, unless something suppresses the alert.

    A suppressed alert is recorded like any other. Channels are notified of a suppressed condition when its suppression
    ends. A channel that is mute at this hour is notified when the hour ends. A suppressed notice is only counted.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    suppression = _find_suppression(tx, alert, decision, runtime, now=now)
    channels = _channels(alert, decision, runtime)
    if suppression is None and not channels:
        tx.count("no_route", alert.type.value)
        tx.record_suppressed(alert.id, Suppression(SuppressionReason.NO_ROUTE))
    if suppression is not None and suppression != alert.suppression:
        tx.count("muted", suppression.reason.value)
        tx.record_suppressed(alert.id, suppression)
    outcome = NotifyOutcome(alert, step, decision, suppression, channels)
    if suppression is not None and step is Step.FIRING:
        tx.suppress(alert.id, suppression, check_again_at=now + CHECK_AGAIN)
        runtime.watch(outcome)
        return
    if suppression is None:
        message, takers = enqueue(tx, alert, step, channels, runtime, now=now)
        outcome = replace(outcome, channels=takers, message=message)
        tx.count("muted", SuppressionReason.TIME.value, len(decision.mute))
    else:
        tx.take_parts(alert.id)  # the suppressed occurrences are counted as notified, and so are their parts
    runtime.watch(outcome)
    if step is Step.FIRING and decision.mute != alert.deferred_channels:
        tx.defer_channels(alert.id, decision.mute)
    _record(tx, alert, decision, now=now)


def is_still_suppressed(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether the suppression that is stored with a condition still applies."""
    if alert.suppression is None:
        return False
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    return _find_suppression(tx, alert, decision, runtime, now=now) == alert.suppression


def notify_unmuted(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Notify the channels of a condition that were mute when it fired, and are not mute now.

    A channel that the alert's route no longer leads to is forgotten. Return false if something else suppresses the
    condition, so that such channels must wait.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    unmuted = tuple(name for name in _channels(alert, decision, runtime) if name in alert.deferred_channels)
    if unmuted and _find_suppression(tx, alert, decision, runtime, now=now) is not None:
        return False
    if unmuted:
        message = _compose(tx, replace(alert, notified_count=0), Step.FIRING, {}, runtime, now=now)
        takers = _takers(message, unmuted, runtime)
        tx.enqueue(message, StepKey(Step.FIRING, alert.summaries), takers, now=now)
        runtime.watch(NotifyOutcome(alert, Step.FIRING, decision, channels=takers, message=message))
    deferred = tuple(name for name in alert.deferred_channels if name in decision.mute)
    if deferred != alert.deferred_channels:
        tx.defer_channels(alert.id, deferred)
    return True


def resolve(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Close a condition, and notify exactly the channels that were notified of it, even if it is suppressed now."""
    channels = tx.notified_channels(alert.id, shadow=runtime.shadow)
    outcome = NotifyOutcome(alert, Step.RESOLVED)
    if channels:
        message, takers = enqueue(tx, alert, Step.RESOLVED, channels, runtime, now=now)
        outcome = replace(outcome, channels=takers, message=message)
    runtime.watch(outcome)
    tx.close(alert.id, count=alert.count, now=now, facts=alert.facts)


def enqueue(
    tx: Transaction, alert: OpenAlert, step: Step, channels: tuple[str, ...], runtime: Runtime, *, now: datetime
) -> tuple[Message, tuple[str, ...]]:
    """Write one message to those of the channels that accept it. Return the message and their names.

    The message counts the occurrences that no earlier message has counted.
    """
    message = _compose(tx, alert, step, tx.take_parts(alert.id), runtime, now=now)
    takers = _takers(message, channels, runtime)
    if channels and not takers and step is not Step.RESOLVED:  # a channel without the firing message needs no end
        tx.count("not_taken", alert.type.value)
        tx.record_suppressed(alert.id, Suppression(SuppressionReason.NOT_TAKEN))
    tx.enqueue(message, StepKey(step, alert.summaries), takers, now=now)
    return message, takers


def _compose(
    tx: Transaction, alert: OpenAlert, step: Step, parts: Mapping[str, int], runtime: Runtime, *, now: datetime
) -> Message:
    if step is not Step.RESOLVED:  # the step that ends a condition has composed its last facts
        alert = current(tx, alert, zone=runtime.zone, now=now)
    members = tx.members_since(alert.id, alert.notified_count, MAX_MEMBERS)
    return compose(alert, step, members, parts, at=now, here=runtime.installation)


def _takers(message: Message, channels: tuple[str, ...], runtime: Runtime) -> tuple[str, ...]:
    return tuple(name for name in channels if name not in runtime.channels or runtime.channels[name].takes(message))


def _channels(alert: OpenAlert, decision: Decision, runtime: Runtime) -> tuple[str, ...]:
    """Return the channels that an alert goes to.

    A broken channel is reported by the other channels of its route. If there are none, all channels for people report
    it. A budget's owners are notified whenever another channel is.
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
    tx.record_notified(alert.id, count=alert.count, next_summary_at=next_summary_at, now=now)
    if alert.kind is Kind.CONDITION:
        tx.remind_at(alert.id, now + timedelta(seconds=decision.repeat_interval))


def _find_suppression(
    tx: Transaction, alert: OpenAlert, decision: Decision, runtime: Runtime, *, now: datetime
) -> Suppression | None:
    labels = alert.routing_labels
    if COVERED_BY in labels:
        return Suppression(SuppressionReason.COVERED, labels[COVERED_BY])
    silence = find_silence(labels, tx.silences(now=now), now=now)
    if silence is not None:
        return Suppression(SuppressionReason.SILENCE, silence.id)
    inhibitor = find_inhibitor(alert.id, labels, runtime.inhibitions, partial(_routed, tx, runtime, now))
    if inhibitor is not None:
        return Suppression(SuppressionReason.ALERT, inhibitor.id)
    return Suppression(SuppressionReason.TIME) if decision.mute and not decision.channels else None


def _routed(tx: Transaction, runtime: Runtime, now: datetime, wanted: SourceFilter) -> Iterator[OpenCondition]:
    """Yield the open conditions that are routed to a channel, now or at another hour. Only these may inhibit others."""
    on = SourceFilter(wanted.types & runtime.router.types, wanted.labels)
    for one in tx.open_conditions(on) if on.types else ():
        decision = runtime.router.decide(AlertType(one.labels["alert_type"]), one.labels, now=now)
        if decision.channels or decision.mute:
            yield one
