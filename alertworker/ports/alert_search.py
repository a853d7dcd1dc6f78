"""Alerts as people search for them: the filter that commands and pages share, and the rows that a search returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertworker.alerts.catalogue import AlertKind
from alertworker.alerts.state import AlertState, state_of
from alertworker.routing.matchers import Matcher


class StateFilter(StrEnum):
    """A state to search by: open, or one of `AlertState`. Every open alert is firing, acknowledged or suppressed."""

    OPEN = "open"
    FIRING = AlertState.FIRING.value
    ACKNOWLEDGED = AlertState.ACKNOWLEDGED.value
    SUPPRESSED = AlertState.SUPPRESSED.value
    CLOSED = AlertState.CLOSED.value


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """The alerts that pass every condition that is set.

    ``type`` is an alert type. ``suppressed`` alerts had a message that no channel was notified of. ``since`` is the
    earliest last occurrence.
    """

    state: StateFilter | None = None
    severity: str | None = None
    type: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    suppressed: bool = False
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertLabels:
    """The fields of an alert that matchers match."""

    id: str
    type: str
    severity: str
    labels: Mapping[str, str]

    @property
    def matched(self) -> dict[str, str]:
        """The labels that routes, silences and inhibitions match on."""
        return {**self.labels, "alert_type": self.type, "severity": self.severity}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One generation of an alert, as it is stored. ``open_fingerprint`` is ``None`` once it is closed."""

    id: str
    fingerprint: str
    open_fingerprint: str | None
    type: str
    kind: str
    severity: str
    level: int
    headline: str
    headline_parts: Mapping[str, object] | None
    labels: Mapping[str, str]
    facts: Mapping[str, str]
    metadata: Mapping[str, str]
    figures: Mapping[str, object] | None
    tables: Sequence[Mapping[str, object]] | None
    chart: Mapping[str, object] | None
    count: int
    notified_count: int
    notified_at: datetime | None
    summaries: int
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    next_summary_at: datetime
    repeat_at: datetime | None
    suppressed_by: str | None
    deferred_channels: Sequence[str] | None
    last_suppressed_by: str | None
    acked_at: datetime | None
    acked_by: str | None
    ack_note: str | None
    closed_at: datetime | None

    @property
    def still_suppressed_by(self) -> str | None:
        """The `Suppression` of the alert's first message, ``None`` once a message was written.

        A notice has no message that waits, so it is suppressed while all messages about it were.
        """
        unannounced = self.kind == AlertKind.NOTICE.value and self.notified_at is None
        return self.suppressed_by or (self.last_suppressed_by if unannounced else None)

    @property
    def state(self) -> AlertState:
        """The state that the columns stand for."""
        return state_of(
            is_open=self.open_fingerprint is not None,
            is_suppressed=self.still_suppressed_by is not None,
            is_acknowledged=self.acked_at is not None,
        )

    @property
    def matched(self) -> dict[str, str]:
        """The labels that routes, silences and inhibitions match on."""
        return AlertLabels(self.id, self.type, self.severity, self.labels).matched


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One page of a search, newest first. ``after`` is where the next page begins, ``None`` after the last one."""

    alerts: Sequence[AlertRow]
    after: str | None
