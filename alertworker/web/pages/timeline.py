"""An alert's life as one list of moments: pure, from its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alertworker.messages import Step

_STEPS: Final[Mapping[str, str]] = {
    Step.NOTICE: "told of it",
    Step.FIRING: "told that it fires",
    Step.SUMMARY: "told how often it happened since",
    Step.REMINDER: "reminded that it still fires",
    Step.RESOLVED: "told that it is over",
    Step.PASSED: "told that it came and went",
    Step.DIGEST: "told with others",
    Step.TEST: "tested",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: ``sign`` is "begin", "told", "failed", "person", "dead" or "end"."""

    at: datetime
    sign: str
    what: str
    detail: str = ""


def timeline(alert: Any, notifications: Sequence[Any], attempts: Mapping[str, Sequence[Any]]) -> list[Moment]:
    """Give what happened to an alert, in order."""
    moments = [
        *_own(alert),
        *(moment for row in notifications for moment in _settled(row)),
        *(moment for row in notifications for moment in _failures(row, attempts.get(row.id, ()))),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def spell_step(step: str) -> str:
    """Say what a notification's step is ("firing:0") in a person's words.

    >>> spell_step("firing:0")
    'told that it fires'
    """
    name = step.partition(":")[0]
    return _STEPS.get(name, name)


def _own(alert: Any) -> Iterator[Moment]:
    yield Moment(alert.first_at, "begin", "Happened for the first time")
    yield Moment(alert.opened_at, "begin", "Alert opened", alert.headline)
    if alert.count > 1:
        yield Moment(alert.last_at, "begin", f"Happened for the last time so far, {alert.count:,} times in all")
    if alert.acked_at is not None:
        yield Moment(alert.acked_at, "person", f"Acknowledged by {alert.acked_by}", alert.ack_note or "")
    if alert.closed_at is not None:
        yield Moment(
            alert.closed_at, "end", "Over" if alert.kind == "condition" else "Over: nothing more happened since"
        )


def _settled(row: Any) -> Iterator[Moment]:
    """Say how a notification ended; one that waits has not."""
    if row.settled_at is None:
        return
    step = spell_step(row.step)
    if row.status == "sent":
        yield Moment(row.settled_at, "told", f"{row.channel} {step}", row.answer or "")
    elif row.status == "dead":
        yield Moment(row.settled_at, "dead", f"{row.channel} could not be {step}: nobody tries again", row.answer or "")
    elif row.status == "merged":
        yield Moment(row.settled_at, "told", f"{row.channel} {step} within one message with others")
    else:
        yield Moment(row.settled_at, "dead", f"{row.channel} was not {step}", row.reason or "")


def _failures(row: Any, attempts: Sequence[Any]) -> Iterator[Moment]:
    """Say which attempts failed; the last one of a dead notification is said already."""
    failed = [attempt for attempt in attempts if attempt.outcome != "sent"]
    for attempt in failed[:-1] if row.status == "dead" else failed:
        yield Moment(attempt.at, "failed", f"{row.channel} did not take it ({attempt.outcome})", attempt.answer)
