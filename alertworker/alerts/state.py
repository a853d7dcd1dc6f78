"""The states of an alert, and every transition between them.

The statements of `alertworker.store.alerts` make the changes. A test compares every sequence of four changes in the
store with this table, so the table has to change with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class AlertState(StrEnum):
    """The state of an alert. A notice is firing, too, until it has no more occurrences."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"  # firing, and a person handles it; no reminders are sent
    SUPPRESSED = "suppressed"  # its first message is suppressed, so no channel is notified yet
    CLOSED = "closed"


class AlertChange(StrEnum):
    """The changes that can happen to an alert."""

    RAISED = "raised"  #: opens a generation
    COUNTED = "counted"  #: it happened again
    ROSE = "rose"  # it became worse: people are notified again, and must acknowledge it again
    SUPPRESSED = "suppressed"  # a silence, another alert or the hour suppresses the firing message
    NOTIFIED = "notified"  #: a message about it was written: firing, summary or reminder
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


_FIRING, _ACKNOWLEDGED, _SUPPRESSED = AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED
_SAME: Final[Mapping[AlertState | None, AlertState]] = {state: state for state in (_FIRING, _ACKNOWLEDGED, _SUPPRESSED)}
#: The state after each change, by the state before it. ``None`` stands for no alert. A change is impossible in
#: a state without an entry. `CLOSED` is final: the next occurrence opens a new generation.
TRANSITIONS: Final[Mapping[AlertChange, Mapping[AlertState | None, AlertState]]] = {
    AlertChange.RAISED: {None: _FIRING},
    AlertChange.COUNTED: _SAME,
    AlertChange.ROSE: {**_SAME, _ACKNOWLEDGED: _FIRING},
    AlertChange.SUPPRESSED: {_FIRING: _SUPPRESSED, _SUPPRESSED: _SUPPRESSED},
    AlertChange.NOTIFIED: {**_SAME, _SUPPRESSED: _FIRING},
    AlertChange.ACKNOWLEDGED: {**_SAME, _FIRING: _ACKNOWLEDGED},
    AlertChange.CLOSED: dict.fromkeys(_SAME, AlertState.CLOSED),
}


def state_after(state: AlertState | None, change: AlertChange, *, acknowledged: bool = False) -> AlertState | None:
    """Return the state after a change, or ``None`` if the change cannot happen in this state.

    An acknowledgement outlasts a suppression: ``acknowledged`` is true if the alert has one after the change.
    """
    after = TRANSITIONS[change].get(state)
    return _ACKNOWLEDGED if acknowledged and after is _FIRING else after


def state_of(*, is_open: bool, is_suppressed: bool, is_acknowledged: bool) -> AlertState:
    """Return the state that the columns of an alert's row stand for."""
    if not is_open:
        return AlertState.CLOSED
    if is_suppressed:
        return _SUPPRESSED
    return _ACKNOWLEDGED if is_acknowledged else _FIRING
