"""The alert: a judgement that a person may have to read, and what makes two of them the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import CATALOGUE, RELAYED, AlertType, Kind, Severity
from alertworker.alerts.suppression import Suppression
from alertworker.alerts.tables import Attachment, Chart, Table


@dataclass(frozen=True, slots=True)
class Alert:
    """A judgement over one batch or one sweep: equal fingerprints are the same alert and add up.

    ``identity`` are the labels that make it this alert and no other; ``facts`` are what a person reads, in order, as
    label and value; ``members`` name some of the ``count`` occurrences, and ``parts`` say how many of
    them each team had. Text in it is raw: each channel escapes it for its receiver. ``level`` counts from 1; a
    condition that is raised on a higher level than it has, rises. ``figures`` are a budget's; ``tables``, ``chart`` and
    ``attachments`` are a report's.
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
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether the alert happens once, or fires and resolves."""
        return Kind.NOTICE if RELAYED in self.identity else CATALOGUE[self.type].kind

    @property
    def fingerprint(self) -> str:
        """The identity as 32 hex characters: the type and its identifying labels, each with its length in front."""
        parts = [self.type.value, *(part for item in sorted(self.identity.items()) for part in item)]
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert as its row stands after a claim.

    ``opened`` is true for the one claim that opened this generation, ``rose`` for one that raised its level. Messages
    have counted ``told`` of its ``count`` occurrences; ``summaries`` is the number of its next message.
    """

    id: str
    type: AlertType
    severity: Severity
    headline: str
    labels: Mapping[str, str]
    facts: Mapping[str, str]
    metadata: Mapping[str, str]
    count: int
    told: int
    summaries: int
    first_at: datetime
    last_at: datetime
    fingerprint: str = ""
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    level: int = 1
    opened: bool = False
    rose: bool = False
    #: When people were notified, or its occurrences counted as notified, up to ``told``.
    told_at: datetime | None = None
    #: What keeps back the message that it fires; ``None`` once that was written.
    suppression: Suppression | None = None
    #: Channels that are mute at this hour, and still to be notified that the condition fires.
    owed: tuple[str, ...] = ()
    repeat_at: datetime | None = None
    #: Calls of a hanging alert that still run, and how the others ended, by outcome.
    running: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    #: When the last of them ended.
    ended_at: datetime | None = None
    #: Closed because nothing more is heard of it, not because it ended.
    unknown: bool = False

    @property
    def kind(self) -> Kind:
        """Whether the alert happens once, or fires and resolves."""
        return Kind.NOTICE if RELAYED in self.labels else CATALOGUE[self.type].kind

    @property
    def routing_labels(self) -> dict[str, str]:
        """Return the labels that routes, silences and inhibitions match."""
        return {**self.labels, "alert_type": self.type.value, "severity": self.severity.value}
