"""Claim, suppress and route: store an alert, and write its message in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from alertworker.alerts.advice import Annotations, annotate
from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import COVERED_BY, MAX_MEMBERS, AlertKind, AlertType
from alertworker.alerts.compose import compose
from alertworker.alerts.intervals import interval_grows, reminder_interval, summary_interval
from alertworker.alerts.message import Message, Step, StepKey
from alertworker.alerts.next_step import WITHOUT_SUMMARIES
from alertworker.alerts.suppression import WAITING, Suppression, SuppressionReason
from alertworker.detectors.llm import summarize_slow
from alertworker.pipeline.current import broken_channel, current
from alertworker.pipeline.explained import without_other_keys
from alertworker.pipeline.hold import find_held_source, find_hold
from alertworker.pipeline.runtime import NotifyOutcome, Runtime
from alertworker.ports import Transaction
from alertworker.ports.batches import CounterName
from alertworker.routing.inhibitions import OpenCondition, SourceFilter, find_inhibited, find_sources
from alertworker.routing.router import Decision
from alertworker.routing.silences import find_silence
from alertworker.text.names import shorten_hashes

#: How often the sweep checks whether a suppressed condition is still suppressed.
CHECK_AGAIN: Final = timedelta(seconds=2)
#: Alerts whose higher severity shows in their next summary: an outage or a model's condition has the harm.
_RISES_QUIETLY: Final = frozenset({AlertType.LLM_EXCEPTIONS})
#: An occurrence that is older than this may belong to a condition that is closed by now. No condition ends sooner.
_MAY_BE_PAST: Final = timedelta(seconds=30)
#: The steps of an alert's first message.
_FIRST: Final = frozenset({Step.FIRING, Step.NOTICE})


class Review(Protocol):
    """Judges a condition again."""

    def __call__(self, tx: Transaction, alert: OpenAlert, runtime: Runtime, /, *, now: datetime) -> OpenAlert | None:
        """Return the condition with its facts of now, or ``None`` if it does not hold any more."""
        ...


def claim(tx: Transaction, alert: Alert, runtime: Runtime, *, now: datetime) -> OpenAlert:
    """Raise the alert. Write a message if that opens it or raises its level; otherwise only count it.

    A notice that was suppressed so far is announced with its first occurrence that is not. Suppressed occurrences
    count as notified, so that no later message counts them.
    """
    alert = replace(alert, headline=shorten_hashes(alert.headline))
    claimed = without_other_keys(tx, tx.alerts.raise_alert(alert, next_summary_at=now, now=now), alert)
    tx.occurrences.add_members(claimed.id, claimed.count, alert.members)
    tx.occurrences.add_parts(claimed.id, alert.parts)
    if claimed.opened:
        tx.occurrences.attach(claimed.id, alert.attachments)
    rose = claimed.rose and claimed.type not in _RISES_QUIETLY
    if claimed.opened or rose or _is_unannounced(claimed):
        notify(tx, claimed, Step.FIRING if alert.kind is AlertKind.CONDITION else Step.NOTICE, runtime, now=now)
    else:
        if claimed.suppression is None and claimed.type not in WITHOUT_SUMMARIES:
            _count_if_suppressed(tx, claimed, runtime, now=now)
        runtime.watch(NotifyOutcome(claimed))
    return claimed


def _is_unannounced(alert: OpenAlert) -> bool:
    """Return whether all messages about a notice were suppressed."""
    return alert.kind is AlertKind.NOTICE and alert.notified_at is None


def _count_if_suppressed(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Count an open alert's occurrences as notified if something suppresses them now, and not just for a moment."""
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    suppression = _find_suppression(tx, alert, decision, runtime, now=now)
    if suppression is not None and suppression.reason not in WAITING:
        tx.occurrences.take_parts(alert.id)
        tx.alerts.count_as_notified(alert, next_summary_at=None, now=now)


def notify(tx: Transaction, alert: OpenAlert, step: Step, runtime: Runtime, *, now: datetime) -> None:
    """Write the notifications of one step, unless something suppresses the alert.

    A suppressed alert is recorded like any other. Channels are notified of a suppressed condition when its suppression
    ends. A channel that is mute at this hour, or on which another alert inhibits this one, is notified when that ends.
    A suppressed notice is only counted, unless it waits for a moment: then it may be announced or summed up later.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    suppression = _find_suppression(tx, alert, decision, runtime, now=now)
    is_waiting = suppression is not None and suppression.reason in WAITING
    if is_waiting and step not in _FIRST:
        tx.alerts.check_again([alert.id], at=now + CHECK_AGAIN)
        return
    inhibited = _inhibited(tx, alert, decision, runtime, now=now) if suppression is None else {}
    channels = tuple(name for name in _channels(alert, decision, runtime) if name not in inhibited)
    _record_suppression(tx, alert, suppression, channels)
    outcome = NotifyOutcome(alert, step, decision, suppression, channels)
    if suppression is not None and (step is Step.FIRING or is_waiting):
        tx.alerts.suppress(alert.id, suppression, check_again_at=now + CHECK_AGAIN)
        runtime.watch(outcome)
        return
    if suppression is not None:
        # The suppressed occurrences are counted as notified, and so are their parts. Intervals grow only with messages.
        tx.occurrences.take_parts(alert.id)
        runtime.watch(outcome)
        tx.alerts.count_as_notified(alert, next_summary_at=now + timedelta(seconds=decision.group_interval), now=now)
        _remind_later(tx, alert, decision, now=now)
        return
    message, takers = enqueue(tx, alert, step, channels, runtime, now=now)
    tx.count(CounterName.SUPPRESSED, SuppressionReason.TIME.value, len(decision.mute))
    tx.count(CounterName.SUPPRESSED, SuppressionReason.ALERT.value, len(inhibited))
    runtime.watch(replace(outcome, channels=takers, message=message))
    deferred = (*decision.mute, *inhibited)
    if step is Step.FIRING and deferred != alert.deferred_channels:
        tx.alerts.defer_channels(alert.id, deferred)
    _record(tx, alert, decision, runtime, now=now)


def _record_suppression(
    tx: Transaction, alert: OpenAlert, suppression: Suppression | None, channels: Sequence[str]
) -> None:
    """Count and store why a step notifies nobody."""
    if suppression is None and not channels:
        tx.count(CounterName.NO_ROUTE, alert.type.value)
        tx.alerts.record_suppressed(alert.id, Suppression(SuppressionReason.NO_ROUTE))
    if suppression is not None and suppression != alert.suppression:
        tx.count(CounterName.SUPPRESSED, suppression.reason.value)
        tx.alerts.record_suppressed(alert.id, suppression)


def is_still_suppressed(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether the suppression that is stored with a condition still applies."""
    if alert.suppression is None:
        return False
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    return _find_suppression(tx, alert, decision, runtime, now=now) == alert.suppression


def notify_unmuted(tx: Transaction, alert: OpenAlert, runtime: Runtime, review: Review, *, now: datetime) -> bool:
    """Notify the channels of a condition that were mute or inhibited when it fired, and are not now.

    A channel that the alert's route no longer leads to is forgotten. Return false if something else suppresses the
    condition or if it does not hold by ``review``, so that such channels must wait.
    """
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    inhibited = _inhibited(tx, alert, decision, runtime, now=now)
    channels = [name for name in _channels(alert, decision, runtime) if name not in inhibited]
    unmuted = tuple(name for name in channels if name in alert.deferred_channels)
    if unmuted and _find_suppression(tx, alert, decision, runtime, now=now) is not None:
        return False
    if unmuted:
        found = review(tx, alert, runtime, now=now)
        if found is None:
            return False
        message = _compose(tx, replace(found, notified_count=0), Step.FIRING, {}, runtime, now=now)
        takers = _takers(message, unmuted, runtime)
        _write(tx, message, StepKey(Step.FIRING, alert.summaries), takers, decision, now=now)
        tx.inhibitions.forget_sources()
        runtime.watch(NotifyOutcome(alert, Step.FIRING, decision, channels=takers, message=message))
    deferred = tuple(name for name in alert.deferred_channels if name in decision.mute or name in inhibited)
    if deferred != alert.deferred_channels:
        tx.alerts.defer_channels(alert.id, deferred)
    return True


def resolve(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Close a condition, and notify exactly the channels that were notified of it, even if it is suppressed now."""
    channels = tx.notifications.notified_channels(alert.id, shadow=runtime.shadow)
    outcome = NotifyOutcome(alert, Step.RESOLVED)
    if channels:
        message, takers = enqueue(tx, alert, Step.RESOLVED, channels, runtime, now=now)
        outcome = replace(outcome, channels=takers, message=message)
    runtime.watch(outcome)
    tx.alerts.close(alert.id, count=alert.count, now=now, last=alert)


def enqueue(
    tx: Transaction, alert: OpenAlert, step: Step, channels: tuple[str, ...], runtime: Runtime, *, now: datetime
) -> tuple[Message, tuple[str, ...]]:
    """Write one message to those of the channels that accept it. Return the message and their names.

    The message counts the occurrences that no earlier message has counted.
    """
    message = _compose(tx, alert, step, tx.occurrences.take_parts(alert.id), runtime, now=now)
    takers = _takers(message, channels, runtime)
    if channels and not takers and step is not Step.RESOLVED:  # a channel without the firing message needs no end
        tx.count(CounterName.NOT_TAKEN, alert.type.value)
        tx.alerts.record_suppressed(alert.id, Suppression(SuppressionReason.NOT_TAKEN))
    decision = runtime.router.decide(alert.type, alert.routing_labels, now=now)
    _write(tx, message, StepKey(step, alert.summaries), takers, decision, now=now)
    if alert.kind is AlertKind.CONDITION:
        tx.inhibitions.forget_sources()  # it inhibits others on these channels
    return message, takers


def _write(
    tx: Transaction, message: Message, key: StepKey, channels: Iterable[str], decision: Decision, *, now: datetime
) -> None:
    """Write a message to channels, with the annotations of the routes that lead to each."""
    by_annotations: dict[Annotations, list[str]] = {}
    for name in channels:
        by_annotations.setdefault(decision.annotations_for(name), []).append(name)
    for own, names in by_annotations.items():
        tx.notifications.enqueue(annotate(message, own), key, names, now=now)


def _compose(
    tx: Transaction, alert: OpenAlert, step: Step, parts: Mapping[str, int], runtime: Runtime, *, now: datetime
) -> Message:
    if step is not Step.RESOLVED:  # the step that ends a condition has composed its last facts
        alert = current(tx, alert, zone=runtime.zone, now=now)
    if step is Step.SUMMARY and alert.type is AlertType.LLM_TOO_SLOW:
        alert = summarize_slow(alert, runtime.policy)
    members = tx.occurrences.members_since(alert.id, alert.notified_count, MAX_MEMBERS)
    return compose(alert, step, members, parts, at=now, here=runtime.installation)


def _takers(message: Message, channels: tuple[str, ...], runtime: Runtime) -> tuple[str, ...]:
    return tuple(name for name in channels if name not in runtime.channels or runtime.channels[name].takes(message))


def _channels(alert: OpenAlert, decision: Decision, runtime: Runtime) -> tuple[str, ...]:
    """Return the channels that an alert goes to.

    A broken channel is reported by the other channels of its route. If there are none, all channels for people report
    it. A budget's owners are notified whenever another channel is.
    """
    broken = broken_channel(alert, runtime.channels)
    if broken is None:
        owners = runtime.owner_mail if alert.figures is not None and decision.channels else None
        return decision.channels if owners is None else (*decision.channels, owners)
    routed = tuple(name for name in decision.channels if name != broken)
    if routed or not decision.channels:
        return routed
    return tuple(name for name, channel in runtime.channels.items() if name != broken and channel.digest_size)


def _record(tx: Transaction, alert: OpenAlert, decision: Decision, runtime: Runtime, *, now: datetime) -> None:
    interval = timedelta(seconds=decision.group_interval)
    has_own_interval = alert.type in runtime.router.digests  # it stays as it is set
    if not has_own_interval and not interval_grows(alert):
        interval = summary_interval(alert.type, alert.summaries, decision.group_interval)
    tx.alerts.record_notified(alert.id, count=alert.count, next_summary_at=now + interval, now=now)
    _remind_later(tx, alert, decision, now=now)


def _remind_later(tx: Transaction, alert: OpenAlert, decision: Decision, *, now: datetime) -> None:
    if alert.kind is AlertKind.CONDITION:
        tx.alerts.remind_at(alert.id, now + reminder_interval(alert, decision.repeat_interval, now=now))


def _find_suppression(
    tx: Transaction, alert: OpenAlert, decision: Decision, runtime: Runtime, *, now: datetime
) -> Suppression | None:
    labels = alert.routing_labels
    if COVERED_BY in labels:
        return Suppression(SuppressionReason.COVERED, labels[COVERED_BY])
    silence = find_silence(labels, tx.silences.current(now=now), now=now)
    if silence is not None:
        return Suppression(SuppressionReason.SILENCE, silence.id)
    channels = _channels(alert, decision, runtime)
    inhibited = _inhibited(tx, alert, decision, runtime, now=now)
    if channels and len(inhibited) == len(channels):
        return Suppression(SuppressionReason.ALERT, inhibited[channels[0]])
    if decision.mute and not decision.channels:
        return Suppression(SuppressionReason.TIME)
    sources = partial(_sources, tx, runtime, alert, frozenset(channels), now)
    explaining = find_sources(alert.id, labels, runtime.inhibitions, sources)
    # First what needs no more statements: in an outage of a model this holds for the alerts of all its deployments.
    return find_held_source(alert, channels, explaining, runtime, now=now) or find_hold(tx, alert, runtime, now=now)


def _inhibited(
    tx: Transaction, alert: OpenAlert, decision: Decision, runtime: Runtime, *, now: datetime
) -> dict[str, str]:
    """Return the channels that were notified of an alert that explains this one, each with that alert's id."""
    channels = _channels(alert, decision, runtime)
    sources = partial(_sources, tx, runtime, alert, frozenset(channels), now)
    return find_inhibited(alert.id, alert.routing_labels, channels, runtime.inhibitions, sources)


def _sources(
    tx: Transaction,
    runtime: Runtime,
    alert: OpenAlert,
    channels: frozenset[str],
    now: datetime,
    wanted: SourceFilter,
) -> Iterator[OpenCondition]:
    """Yield the conditions of enabled types that may inhibit an alert.

    They are open. If the newest occurrence of a notice was reported late, or is summed up later, conditions that held
    when it happened count, too.
    """
    on = SourceFilter(wanted.types & runtime.router.types, wanted.labels)
    if not on.types:
        return
    yield from tx.inhibitions.open_conditions(on, channels=channels, shadow=runtime.shadow)
    if alert.kind is AlertKind.NOTICE and now - alert.last_at > _MAY_BE_PAST:
        yield from tx.inhibitions.conditions_at(on, alert.last_at, shadow=runtime.shadow)
