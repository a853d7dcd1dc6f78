"""Health checks of the whole pipeline. The command line and the pages print their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError
from alertworker.ledger.time_zone import ZoneChange
from alertworker.ports import LaneState, Store
from alertworker.ports.admin import PublisherState
from alertworker.ports.alert_search import StateFilter
from alertworker.ports.processes import Process
from alertworker.routing.silences import Silence
from alertworker.settings import Settings
from alertworker.settings.published import compare
from alertworker.store import AdminStore, HealthSnapshot, HealthStore
from alertworker.store.health import MAX_LAG
from alertworker.text.format import spell, spell_moment

#: How long a message may wait, or a channel may fail, before the check is a problem.
_PATIENCE: Final = timedelta(minutes=10)
#: The name of a count that stands beside the store's counters. Publishers report it.
DROPPED_BY_PUBLISHERS: Final = "dropped by publishers"


class CheckState(StrEnum):
    """The result of a check: healthy, worth checking, or action required."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. ``about`` names the checked part, and ``text`` is the result."""

    about: str
    state: CheckState
    text: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The results of all checks, counters by name and reason, lanes by channel, and dead letters by kind.

    ``lanes`` has each lane that is configured or has a message to send, with its state and its check. If the database
    does not answer, everything except ``checks`` is empty.
    """

    checks: tuple[Check, ...]
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lanes: Mapping[str, tuple[LaneState, Check]] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> CheckState:
        """The worst state of all checks."""
        found = {check.state for check in self.checks}
        return next((state for state in (CheckState.PROBLEM, CheckState.NOTE) if state in found), CheckState.OK)

    @property
    def healthy(self) -> bool:
        """Whether no check requires action."""
        return self.state is not CheckState.PROBLEM


@dataclass(frozen=True, slots=True)
class Doctor:
    """Runs the health checks. ``ask_broker`` returns how many batches wait, or raises `BrokerUnavailable`."""

    settings: Settings
    ask_broker: Callable[[], int]
    health: HealthStore
    store: Store
    admin: AdminStore

    def examine(self, *, now: datetime) -> HealthReport:
        """Run all checks."""
        settings = self.settings
        found = [Check("configuration", CheckState.NOTE, warning) for warning in settings.warnings]
        if settings.shadow:
            found.append(Check("shadow", CheckState.NOTE, "no message is sent; everything else runs"))
        broker, queued = self._broker()
        found.append(broker)
        try:
            snapshot, problem = self.health.read(now=now), self.health.find_write_problem()
            lanes = self.store.lanes.states(now=now)
            dropped = self._dropped()
            zone, change = self.admin.ledger_zone()
            silences = self.admin.silences(now=now)
            running = self.admin.processes.running(now=now)
        except AlertWorkerError as error:
            return HealthReport((*found, Check("database", CheckState.PROBLEM, str(error))))
        found += [
            _database(problem),
            _pipeline(snapshot),
            *_steps(snapshot),
            *_queue(queued, snapshot),
            _publishers(snapshot),
            _alerts(snapshot),
            _letters(snapshot),
        ]
        found.append(_ledger(settings, zone, change, now=now))
        found += _silences(silences)
        found += _processes(settings, running)
        lane_checks = dict(_lanes(lanes, settings, running, now=now))
        found += [check for _, check in lane_checks.values()]
        return HealthReport(tuple(found), _counters(snapshot, dropped), lane_checks, snapshot.dead_letters)

    def _broker(self) -> tuple[Check, int | None]:
        try:
            queued = self.ask_broker()
        except AlertWorkerError as error:
            return Check("broker", CheckState.PROBLEM, str(error)), None
        return Check("broker", CheckState.OK, "answers"), queued

    def _dropped(self) -> Counter[str]:
        dropped = Counter[str]()
        for row in self.admin.publishers():
            dropped.update(row.dropped)
        return dropped


def _counters(snapshot: HealthSnapshot, dropped: Mapping[str, int]) -> dict[str, dict[str, int]]:
    counters: dict[str, dict[str, int]] = {}
    for (name, reason), value in snapshot.counters.items():
        counters.setdefault(name, {})[reason] = value
    if dropped:
        counters[DROPPED_BY_PUBLISHERS] = dict(dropped)
    return counters


def _database(problem: str | None) -> Check:
    if problem is not None:
        return Check("database", CheckState.PROBLEM, problem)
    return Check("database", CheckState.OK, "answers")


def _pipeline(snapshot: HealthSnapshot) -> Check:
    """Check the age of the canary, which passes through the same pipeline as every event."""
    lag = snapshot.canary_seconds
    if lag is None:
        return Check("pipeline", CheckState.PROBLEM, "no canary has returned yet; start a worker and beat")
    age = spell(timedelta(seconds=lag))
    if snapshot.is_stalled:
        return Check(
            "pipeline",
            CheckState.PROBLEM,
            f"no canary has returned for {age}; check that a worker and beat are running",
        )
    return Check("pipeline", CheckState.OK, f"the last canary returned {age} ago")


def _steps(snapshot: HealthSnapshot) -> Iterator[Check]:
    """Report the steps of the sweep and the reports that failed lately."""
    for name, seconds in snapshot.failing.items():
        state = CheckState.PROBLEM if seconds < _PATIENCE.total_seconds() else CheckState.NOTE
        ago = spell(timedelta(seconds=seconds))
        yield Check(f"step {name}", state, f"failed {ago} ago; the other steps go on; see the worker's log")


def _queue(queued: int | None, snapshot: HealthSnapshot) -> Iterator[Check]:
    """Check how many batches wait and how old they are, if the broker answers."""
    if queued is None:
        return
    oldest = snapshot.oldest_seconds(queued)
    age = f", the oldest for at most {spell(timedelta(seconds=oldest))}" if queued and oldest is not None else ""
    state = CheckState.NOTE if queued and (oldest is None or oldest > MAX_LAG) else CheckState.OK
    yield Check("queue", state, f"{queued} {'batch waits' if queued == 1 else 'batches wait'}{age}")


def _publishers(snapshot: HealthSnapshot) -> Check:
    states = ", ".join(f"{count} {state}" for state, count in snapshot.publishers.items())
    text = f"{states}; a backlog of {snapshot.backlog} events"
    troubled = (
        snapshot.publishers[PublisherState.SILENT] or snapshot.publishers[PublisherState.LOST] or snapshot.backlog
    )
    return Check("publishers", CheckState.NOTE if troubled else CheckState.OK, text)


def _alerts(snapshot: HealthSnapshot) -> Check:
    opened = {alert_type: count for (alert_type, state), count in snapshot.alerts.items() if state == StateFilter.OPEN}
    named = ", ".join(f"{alert_type} {count}" for alert_type, count in sorted(opened.items()))
    return Check("alerts", CheckState.OK, f"{sum(opened.values())} open{f' ({named})' if named else ''}")


def _letters(snapshot: HealthSnapshot) -> Check:
    named = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(snapshot.dead_letters.items()))
    if not named:
        return Check("dead letters", CheckState.OK, "none")
    return Check("dead letters", CheckState.NOTE, f"{named}; replay or discard them")


def _ledger(settings: Settings, zone: str | None, change: ZoneChange | None, *, now: datetime) -> Check:
    """Compare the time zone of the ledger's days with the configured one and with the one before."""
    if zone is not None and zone != settings.time_zone:
        text = f"workers use days in {zone}, but time_zone is {settings.time_zone}; restart them or revert time_zone"
        return Check("ledger", CheckState.NOTE, text)
    if change is not None and change.at > now - timedelta(days=settings.spend_retention_days):
        return Check("ledger", CheckState.NOTE, str(change))
    return Check("ledger", CheckState.OK, f"days are in {settings.time_zone}")


def _processes(settings: Settings, running: Sequence[Process]) -> list[Check]:
    """Compare the configuration of the running processes with the one in force here."""
    found = [
        Check(one.about, CheckState.PROBLEM if one.loses else CheckState.NOTE, one.text)
        for one in compare(settings, running)
    ]
    roles = Counter(process.role for process in running)
    named = ", ".join(f"{count} {role}" for role, count in sorted(roles.items()))
    return found or [Check("processes", CheckState.OK, f"{named}; all have the configuration of this command")]


def _silences(silences: Iterable[Silence]) -> list[Check]:
    """Report silences that an earlier version stored and this version cannot apply."""
    remedy = "end it and add it again"
    return [
        Check(f"silence {one.id}", CheckState.NOTE, f"is not applied: {one.problem}; {remedy}")
        for one in silences
        if one.problem is not None
    ]


def describe_lane(state: LaneState, zone: ZoneInfo, *, now: datetime) -> str:
    """Return the state of a lane in words: what waits in it, and what it waits for."""
    parts = [f"{state.waiting} waiting"]
    if state.waiting and state.waiting_since:
        parts = [f"{state.waiting} waiting, the oldest for {spell(now - state.waiting_since)}"]
    if state.paused_until:
        parts.append(f"its receiver asked to wait until {spell_moment(state.paused_until, zone)}")
    if state.failing_since:
        parts.append(f"every attempt has failed since {spell_moment(state.failing_since, zone)}")
    if state.probe_at:
        parts.append(f"the next attempt is at {spell_moment(state.probe_at, zone)}")
    if state.broken_since:
        parts.append(f"reported as broken since {spell_moment(state.broken_since, zone)}")
    return "; ".join(parts)


def _lanes(
    lanes: Mapping[str, LaneState], settings: Settings, running: Sequence[Process], *, now: datetime
) -> Iterator[tuple[str, tuple[LaneState, Check]]]:
    """Yield the lane of each channel and each lane with waiting messages, with its check.

    The channels are those that are configured here and those of the running processes.
    """
    theirs = {name: channel for process in running for name, channel in process.channels.items()}
    known = {name: kind for name, (kind, _) in theirs.items()} | {one.name: one.kind for one in settings.channels}
    labels = settings.channel_labels.over({name: label for name, (_, label) in theirs.items()})
    for name in sorted(known.keys() | {name for name, state in lanes.items() if state.waiting}):
        state = lanes.get(name, LaneState(name))
        waits = now - state.waiting_since if state.waiting_since else timedelta(0)
        text = describe_lane(state, settings.zone, now=now)
        if state.broken_since and name in settings.places:
            test = f"alertworker test {known[name]}"
            text = f"{text}; its address is from {settings.places[name]}; correct it, then run `{test}`"
        if labels.is_removed(name):
            text = f"{text}; no longer configured; its waiting messages become dead letters"
        lasting = state.failing_since is not None and now - state.failing_since > _PATIENCE
        bad = state.broken_since is not None or lasting or waits > _PATIENCE
        note = state.paused_until or state.failing_since or labels.is_removed(name)
        verdict = CheckState.PROBLEM if bad else CheckState.NOTE if note else CheckState.OK
        yield name, (state, Check(f"lane {labels.of(name)}", verdict, text))
