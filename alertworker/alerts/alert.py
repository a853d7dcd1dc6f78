"""The alert: a judgement that a person may have to read, and the identity by which occurrences are counted together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import CATALOGUE, RELAYED, AlertKind, AlertType, Severity
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.alerts.suppression import Suppression
from alertworker.alerts.tables import Attachment, Chart, Table


def fingerprint_of(alert_type: AlertType, identity: Mapping[str, str]) -> str:
    """Return 32 hexadecimal digits for a type and its identifying labels.

    The length of each part is hashed before it.
    """
    parts = [alert_type.value, *(part for item in sorted(identity.items()) for part in item)]
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Alert:
    """A judgement over one batch or one sweep. Alerts with equal fingerprints are the same alert and add up.

    ``identity`` are the labels that identify the alert. ``facts`` are pairs of label and value to show, in order.
    ``members`` name some of the ``count`` occurrences, and ``parts`` count them by team. Its strings are raw: each
    channel escapes them for its receiver. ``level`` counts from 1. A condition rises when it is raised on a higher
    level than its present one. ``headline_parts`` are an outage's. ``figures`` are a budget's.
    ``tables``, ``chart`` and ``attachments`` are a report's.
    """

    type: AlertType
    severity: Severity
    identity: Mapping[str, str]
    headline: str
    first_at: datetime
    last_at: datetime
    count: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    level: int = 1
    headline_parts: OutageHeadline | None = None
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def kind(self) -> AlertKind:
        """Return whether the alert happens once, or fires and resolves."""
        return AlertKind.NOTICE if RELAYED in self.identity else CATALOGUE[self.type].kind

    def subject(self, alert_id: str) -> Subject:
        """Return the subject of a message about this alert alone, under an id."""
        return Subject(
            id=alert_id,
            type=self.type,
            severity=self.severity,
            headline=self.headline,
            labels={**self.identity, **self.labels},
            first_at=self.first_at,
            last_at=self.last_at,
            facts=self.facts,
            count=self.count,
            fingerprint=self.fingerprint,
            headline_parts=self.headline_parts,
            figures=self.figures,
            tables=self.tables,
            chart=self.chart,
        )

    @property
    def fingerprint(self) -> str:
        """The identity as 32 hex characters, see `fingerprint_of`."""
        return fingerprint_of(self.type, self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The subject of a message: an alert, or several.

    ``notified_count`` is the number of the ``count`` occurrences that earlier messages have counted, until
    ``notified_at``. The last four fields describe a condition that ends. They are the number of hanging calls that
    still run, how the others ended, when the last one did, and whether it was closed without news of its end.
    """

    id: str
    type: AlertType
    severity: Severity
    headline: str
    labels: Mapping[str, str]
    first_at: datetime
    last_at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    notified_count: int = 0
    notified_at: datetime | None = None
    fingerprint: str = ""
    headline_parts: OutageHeadline | None = None
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    running: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    ended_at: datetime | None = None
    unknown: bool = False

    @property
    def routing_labels(self) -> dict[str, str]:
        """Return the labels that routes, silences and inhibitions match."""
        return {**self.labels, "alert_type": self.type.value, "severity": self.severity.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert(Subject):
    """An alert's row after a claim.

    ``opened`` is true for the only claim that opened this generation, and ``rose`` for a claim that raised its level.
    ``summaries`` is the number of its next message. ``kind`` is that of the row: an older version may have raised the
    alert as a notice whose type is a condition now.
    """

    summaries: int
    kind: AlertKind
    level: int = 1
    opened: bool = False
    rose: bool = False
    #: The suppression of the firing message; ``None`` once that message is written.
    suppression: Suppression | None = None
    #: Channels that are mute at this hour and still have to be notified that the condition fires.
    deferred_channels: tuple[str, ...] = ()
    repeat_at: datetime | None = None
