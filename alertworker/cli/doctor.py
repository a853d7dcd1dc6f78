"""``alertworker doctor``: how the line is, and what does not go as it should."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import click

from alertworker.channels.text import one_line
from alertworker.cli.listing import plain
from alertworker.errors import AlertWorkerError
from alertworker.grouping import spell
from alertworker.ports import LaneState

if TYPE_CHECKING:
    from alertworker.settings import Settings
    from alertworker.store import Readings

#: From when on a message that waits, or a channel that fails, is a problem and not a moment's trouble.
_PATIENCE: Final = timedelta(minutes=10)


class State(StrEnum):
    """What a finding means: all is well; worth a look; somebody must do something."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    state: State
    text: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Say how the line is: broker, database, canary, publishers, lanes, dead letters, and what was left out and why.

    Exits with 1 where somebody must do something. `check` looks at the configuration.
    """
    from alertworker.settings import load_settings

    settings, now = load_settings(), datetime.now(UTC)
    found, counters = examine(settings, now=now)
    healthy = all(finding.state is not State.PROBLEM for finding in found)
    if as_json:
        document = {"healthy": healthy, "findings": [asdict(one) for one in found], "counters": counters}
        click.echo(json.dumps(document, default=plain))
    else:
        for one in found:
            click.echo(f"{one.state.value:8}{one.about}: {one_line(one.text)}")
        for name, reasons in sorted(counters.items()):
            click.echo(f"        counted {name}: {', '.join(f'{why} {n}' for why, n in sorted(reasons.items()))}")
    if not healthy:
        raise AlertWorkerError("something must be done; see above")


def examine(settings: Settings, *, now: datetime) -> tuple[list[Finding], dict[str, dict[str, int]]]:
    """Look at everything; gives the findings and the counters, by name and reason."""
    from alertworker.app import build_desk, build_gauges, build_line, build_runtime

    found = [Finding("configuration", State.NOTE, warning) for warning in settings.warnings]
    if settings.shadow:
        found.append(Finding("shadow", State.NOTE, "everything is done but sending"))
    found.append(_asked("broker", build_line().ask))
    counters: dict[str, dict[str, int]] = {}
    try:
        readings = build_gauges(settings).read(now=now)
        lanes = build_runtime(settings).store.lane_states(now=now)
        dropped = Counter[str]()
        for row in build_desk().publishers():
            dropped.update(row.counters.get("dropped", {}))
    except AlertWorkerError as error:
        return [*found, Finding("database", State.PROBLEM, str(error))], counters
    for (name, reason), value in readings.counters.items():
        counters.setdefault(name, {})[reason] = value
    if dropped:
        counters["dropped by publishers"] = dict(dropped)
    found.append(Finding("database", State.OK, "answers"))
    found += [_line(readings), _publishers(readings), _alerts(readings), _letters(readings)]
    known = {config.name for config in settings.channels}
    found += _lanes(lanes, known, now=now)
    return found, counters


def _asked(about: str, ask: Any) -> Finding:
    try:
        ask()
    except AlertWorkerError as error:
        return Finding(about, State.PROBLEM, str(error))
    return Finding(about, State.OK, "answers")


def _line(readings: Readings) -> Finding:
    """Judge by the canary, which goes the way of every event."""
    lag = readings.canary_seconds
    if lag is None:
        return Finding("line", State.PROBLEM, "nothing has come round it yet: a worker and beat must run")
    age = spell(timedelta(seconds=lag))
    if readings.stands_still:
        return Finding("line", State.PROBLEM, f"nothing has come round it for {age}: do a worker and beat run?")
    return Finding("line", State.OK, f"flows; the last canary came round {age} ago")


def _publishers(readings: Readings) -> Finding:
    states = ", ".join(f"{count} {state}" for state, count in readings.publishers.items())
    text = f"{states}; {readings.backlog} events not handed over yet"
    troubled = readings.publishers["silent"] or readings.publishers["lost"] or readings.backlog
    return Finding("publishers", State.NOTE if troubled else State.OK, text)


def _alerts(readings: Readings) -> Finding:
    opened = {kind: count for (kind, state), count in readings.alerts.items() if state == "open"}
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(opened.items()))
    return Finding("alerts", State.OK, f"{sum(opened.values())} open{f' ({named})' if named else ''}")


def _letters(readings: Readings) -> Finding:
    named = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(readings.dead_letters.items()))
    if not named:
        return Finding("dead letters", State.OK, "none")
    return Finding("dead letters", State.NOTE, f"{named}; see `alertworker deadletters list`")


def _lanes(lanes: dict[str, LaneState], known: set[str], *, now: datetime) -> Iterator[Finding]:
    for name in sorted(known | {name for name, state in lanes.items() if state.waiting}):
        state = lanes.get(name, LaneState(name))
        waits = now - state.waiting_since if state.waiting_since else timedelta(0)
        parts = [f"{state.waiting} waiting" + (f", the oldest for {spell(waits)}" if state.waiting else "")]
        if name not in known:
            parts.append("not configured any more: what waits becomes dead letters")
        if state.paused_until:
            parts.append(f"its receiver asked to wait until {state.paused_until.isoformat(timespec='seconds')}")
        if state.failing_since:
            parts.append(f"every attempt fails since {state.failing_since.isoformat(timespec='seconds')}")
        if state.broken_since:
            parts.append(f"announced as broken since {state.broken_since.isoformat(timespec='seconds')}")
        lasting = state.failing_since is not None and now - state.failing_since > _PATIENCE
        bad = state.broken_since is not None or lasting or waits > _PATIENCE
        note = state.paused_until or state.failing_since or name not in known
        verdict = State.PROBLEM if bad else State.NOTE if note else State.OK
        yield Finding(f"lane {name}", verdict, "; ".join(parts))
