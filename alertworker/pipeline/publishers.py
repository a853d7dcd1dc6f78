"""Lost publishers, and hosts whose publisher is running and publishes nothing while other hosts do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Alert, OpenAlert, fingerprint_of
from alertworker.alerts.catalogue import CATALOGUE, AlertType, Severity
from alertworker.alerts.many import MAX_LISTED
from alertworker.pipeline.many_lost import MANY, describe_many, own_alerts
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Host, HostState, Lifetime, LostPublisher, SilentHost, Transaction
from alertworker.text.format import spell, spell_moment

#: How long a publisher may send nothing, while canaries return, before it is lost: 4.5 heartbeats.
SILENCE: Final = timedelta(seconds=45)
#: How long a host publishes nothing, while another host publishes without a pause, before an alert is raised.
PATIENCE: Final = timedelta(minutes=30)
#: How long a host must run without another loss before its loss is over. The longer time applies if an earlier loss
#: was over within `_RECENTLY`.
_STABLE: Final = timedelta(minutes=5)
_STABLE_AGAIN: Final = timedelta(minutes=30)
#: After this time a lost host counts as replaced if other hosts of its integration run: names of pods never return.
_REPLACED: Final = timedelta(minutes=30)
#: After this time it is over in any case, with an unknown end: a single host may be gone for good.
_GONE: Final = timedelta(hours=24)
#: Losses within this time count as one crash loop, from `_LOOP` on, and at most `_MAX_LIFETIMES` of them are read.
_RECENTLY: Final = timedelta(hours=1)
_LOOP: Final = 3
_MAX_LIFETIMES: Final = 200
#: The maximum number of announced calls that an alert names.
_NAMES: Final = 5
#: The levels of a lost publisher's alert. It is 2 if the host keeps crashing, or if no host of the integration is left.
_SEVERITIES: Final[Mapping[int, Severity]] = {1: Severity.MEDIUM, 2: Severity.HIGH}


def announce_lost(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Raise or count the alert of each host with a publisher that sent nothing, although a later canary has returned.

    If too many hosts are lost at once, one alert sums up those that have no alert yet.
    Take at most ``limit`` publishers. Return whether more may be left.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None:
        return False
    lost = tx.publishers.lost_publishers(
        silent_since=now - SILENCE, canary_sent_at=arrived - SILENCE, limit=limit, now=now
    )
    if lost:
        # The clock's row is a lock: of two sweeps that lose publishers of one host, the second counts those of both.
        tx.clock.advance(Clock.PUBLISHERS_JUDGED, now)
    by_host: dict[Host, list[LostPublisher]] = {}
    for publisher in sorted(lost, key=lambda one: (one.last_heartbeat_at, one.boot_id)):
        by_host.setdefault(publisher.host, []).append(publisher)
    own = own_alerts(by_host, _open_hosts(tx, AlertType.PUBLISHER_LOST).values()) if lost else set()
    for host in sorted(own):
        claim(tx, _judge_lost(tx, host, by_host[host], runtime.zone, now=now), runtime, now=now)
    if many := {host: publishers for host, publishers in by_host.items() if host not in own}:
        claim(tx, _judge_many(tx, many, now=now), runtime, now=now)
    return len(lost) == limit


def _judge_many(tx: Transaction, many: Mapping[Host, Sequence[LostPublisher]], *, now: datetime) -> Alert:
    open_alert = tx.alerts.find_open(fingerprint_of(AlertType.PUBLISHER_LOST, _identity(MANY)))
    kept = tx.occurrences.count_members(open_alert.id) if open_alert is not None else 0
    arrived = min(one.arrived_at for publishers in many.values() for one in publishers)
    since = arrived if open_alert is None else open_alert.first_at
    integrations = {host.integration for host in many if host.integration}
    alone = any(not tx.publishers.living_hosts(name, since=now - SILENCE) for name in integrations)
    alert = describe_many(many, total=tx.publishers.count_missing_hosts(since=since), alone=alone, kept=kept)
    return _not_below(alert, open_alert)


def _not_below(alert: Alert, open_alert: OpenAlert | None) -> Alert:
    """Return an alert with at least the level of the open one."""
    if open_alert is None or open_alert.level <= alert.level:
        return alert
    return replace(alert, level=open_alert.level, severity=open_alert.severity)


def _judge_lost(tx: Transaction, host: Host, lost: Sequence[LostPublisher], zone: ZoneInfo, *, now: datetime) -> Alert:
    lifetimes = tx.publishers.lost_lifetimes(host, since=now - _RECENTLY, limit=_MAX_LIFETIMES)
    others = tx.publishers.living_hosts(host.integration, since=now - SILENCE) if host.integration else None
    open_alert = tx.alerts.find_open(fingerprint_of(AlertType.PUBLISHER_LOST, _identity(host)))
    kept = tx.occurrences.count_members(open_alert.id) if open_alert is not None else 0
    return _not_below(describe_lost(host, lost, lifetimes, others=others, kept=kept, zone=zone), open_alert)


def describe_lost(
    host: Host,
    lost: Sequence[LostPublisher],
    lifetimes: Sequence[Lifetime],
    *,
    others: int | None,
    kept: int,
    zone: ZoneInfo,
) -> Alert:
    """Return the alert about publishers of a host that were lost at once.

    ``lifetimes`` are those of all that the host lost recently. ``others`` is the number of running hosts of the
    integration, ``None`` for other programs. ``kept`` is how many lost processes the alert lists already.
    """
    crashes = count_crashes(lifetimes)
    level = 2 if crashes >= _LOOP or others == 0 else 1
    span = max(one.ended_at for one in lifetimes) - min(one.ended_at for one in lifetimes)
    calls = sum(one.calls for one in lost)
    facts = {
        "Host": host.name,
        "Integration": host.integration,
        "Process": ", ".join(str(one.pid) for one in lost[-_LOOP:]),
        "Last heartbeat": spell_moment(lost[-1].last_heartbeat_at, zone),
        "Restarts": f"{crashes - 1} in {spell(span)}" if crashes > 1 else "",
        **_lost_calls(lost),
        "Other hosts": "" if others is None else f"{others or 'none'} of {host.integration} running",
    }
    return Alert(
        type=AlertType.PUBLISHER_LOST,
        severity=_SEVERITIES[level],
        identity=_identity(host),
        headline=_headline(host, lost, crashes, span, calls=calls, alone=others == 0),
        first_at=min(one.last_heartbeat_at for one in lost),
        last_at=max(one.arrived_at for one in lost),
        count=len(lost),
        facts={label: text for label, text in facts.items() if text},
        members=tuple(_member(one, zone) for one in lost)[: max(0, MAX_LISTED - kept)],
        level=level,
    )


def _lost_calls(lost: Sequence[LostPublisher]) -> Mapping[str, str]:
    """Return the facts about calls that were running, or were announced."""
    inflight, calls = sum(one.inflight for one in lost), sum(one.calls for one in lost)
    names = [name for one in lost for name in one.call_names]
    return {
        "Calls in flight": f"{max(inflight, calls)} at the last heartbeat" if inflight or calls else "",
        "Announced calls": ", ".join(names[:_NAMES]) + (f" and {calls - _NAMES} more" if calls > _NAMES else ""),
    }


def count_crashes(lifetimes: Iterable[Lifetime]) -> int:
    """Return how many times in a row a host crashed: the largest number of lifetimes without an overlap.

    Processes that ended together count once. A process without a known start counts as old.
    """
    crashes, ended_at = 0, None
    for one in sorted(lifetimes, key=lambda one: one.ended_at):
        if ended_at is None or (one.started_at is not None and one.started_at >= ended_at):
            crashes, ended_at = crashes + 1, one.ended_at
    return crashes


def _headline(
    host: Host, lost: Sequence[LostPublisher], crashes: int, span: timedelta, *, calls: int, alone: bool
) -> str:
    process = f"process {lost[0].pid}" if len(lost) == 1 else f"{len(lost)} processes"
    with_calls = f", {calls} announced calls lost with it" if calls else ""
    if crashes >= _LOOP:
        return f"A proxy keeps crashing: {host.name}, {crashes} times in {spell(span)}{with_calls}"
    if alone:
        return f"The last running proxy stopped without a clean shutdown: {host.name}, {process}{with_calls}"
    return f"A proxy stopped sending heartbeats without a clean shutdown: {host.name}, {process}{with_calls}"


def _member(lost: LostPublisher, zone: ZoneInfo) -> str:
    inflight = f", {lost.inflight} calls in flight" if lost.inflight else ""
    return f"process {lost.pid}, last heartbeat {spell_moment(lost.last_heartbeat_at, zone)}{inflight}"


def announce_silent(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Raise one alert for each host that publishes nothing, and another one only after it has published.

    Raise at most ``limit`` alerts. Return whether more may be left. While no canary returns, raise none.
    """
    if not _is_current(tx, now=now):
        return False
    silent = tx.publishers.silent_hosts(reporting_since=now - SILENCE, quiet_since=now - PATIENCE, limit=limit, now=now)
    for host in silent:
        claim(tx, describe_silent(host, runtime.zone), runtime, now=now)
    return len(silent) == limit


def describe_silent(host: SilentHost, zone: ZoneInfo) -> Alert:
    """Return the alert about a host that publishes nothing."""
    return Alert(
        type=AlertType.PUBLISHER_SILENT,
        severity=CATALOGUE[AlertType.PUBLISHER_SILENT].severity,
        identity=_identity(Host(host.host, host.integration)),
        headline=f"A proxy publishes nothing while other proxies do: {host.host}",
        first_at=host.moved_at,
        last_at=host.moved_at,
        facts={"Host": host.host, "Integration": host.integration, "Last event": spell_moment(host.moved_at, zone)},
    )


def end_publishers(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` alerts about lost and silent publishers that are over. Return whether more may be left.

    While no canary returns, resolve none: a report that arrives then may be old.
    """
    opened = _open_hosts(tx, AlertType.PUBLISHER_LOST, AlertType.PUBLISHER_SILENT)
    if not opened or not _is_current(tx, now=now):
        return False
    states = tx.publishers.host_states(opened.values())
    integrations = {host.integration for host in opened.values() if host.integration}
    living = {name for name in integrations if tx.publishers.living_hosts(name, since=now - SILENCE)}
    resolved = 0
    for fingerprint, alert in tx.alerts.find_all_open(opened).items():
        if resolved == limit:
            return True
        host = opened[fingerprint]
        state = _state_of_many(tx, alert, now=now) if host == MANY else states.get(host, HostState())
        if alert.type is AlertType.PUBLISHER_SILENT:
            closing = end_silent(alert, state)
        else:
            again = tx.alerts.count_openings(fingerprint, since=now - _RECENTLY) > 1
            closing = end_lost(alert, state, others=host.integration in {*living, ""}, again=again, now=now)
        if closing is not None:
            resolve(tx, closing, runtime, now=now)
            resolved += 1
    return False


def end_lost(alert: OpenAlert, state: HostState, *, others: bool, again: bool, now: datetime) -> OpenAlert | None:
    """Return the alert about a lost publisher with how it ended, ``None`` if it continues.

    ``others`` is true if other hosts can replace the host, and ``again`` if it was lost before within `_RECENTLY`.
    A host that never comes back is closed with an unknown end after `_GONE`.
    """
    quiet = now - alert.last_at
    if quiet < (_STABLE_AGAIN if again else _STABLE):
        return None
    facts = {label: text for label, text in alert.facts.items() if label != "Other hosts"}
    if state.reported_at is not None and now - state.reported_at < SILENCE:
        is_new = state.started_at is not None and state.started_at > alert.last_at
        return replace(alert, facts=facts | {"State": "running again"}, ended_at=state.started_at if is_new else now)
    if state.stopped_at is not None and state.stopped_at > alert.last_at:
        return replace(alert, facts=facts | {"State": "shut down cleanly since"}, ended_at=state.stopped_at)
    if others and quiet >= _REPLACED:
        what = "other hosts of its integration are running" if alert.labels["integration"] else "state unknown"
        state_text = f"did not come back for {spell(_REPLACED)}; {what}"
        return replace(alert, facts=facts | {"State": state_text}, ended_at=now, unknown=True)
    if quiet >= _GONE:
        state_text = f"did not come back for {spell(_GONE)}"
        return replace(alert, facts=facts | {"State": state_text}, ended_at=now, unknown=True)
    return None


def end_silent(alert: OpenAlert, state: HostState) -> OpenAlert | None:
    """Return the alert about a silent host with how it ended, ``None`` if it continues."""
    if state.moved_at is None:
        return replace(alert, facts={**alert.facts, "State": "its processes have ended"})
    if state.moved_at <= alert.last_at:
        return None
    return replace(alert, facts={**alert.facts, "State": "publishes again"}, ended_at=state.moved_at)


def _state_of_many(tx: Transaction, alert: OpenAlert, *, now: datetime) -> HostState:
    """Return the state of hosts that are summed up. They count as running once all of them run."""
    missing = tx.publishers.count_missing_hosts(since=alert.first_at)
    return HostState() if missing else HostState(reported_at=now)


def _open_hosts(tx: Transaction, *types: AlertType) -> dict[str, Host]:
    """Return the hosts that open alerts of these types are about, by the fingerprint of the alert."""
    found = {}
    for one in tx.inhibitions.conditions_of(frozenset(types)):
        host = Host(one.labels.get("host", ""), one.labels.get("integration", ""))
        found[fingerprint_of(AlertType(one.labels["alert_type"]), _identity(host))] = host
    return found


def _identity(host: Host) -> dict[str, str]:
    return {"host": host.name, "integration": host.integration}


def _is_current(tx: Transaction, *, now: datetime) -> bool:
    """Return whether the newest canary has just returned, so that what arrives is not old."""
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    return arrived is not None and now - arrived < SILENCE
