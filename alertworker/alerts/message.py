"""What a person reads, before any vendor's form: one step of one alert, complete with its numbers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Attachment, Chart, Table


class Step(StrEnum):
    """Which moment in an alert's life a message tells of."""

    NOTICE = "notice"  #: it happened; the first message about it
    FIRING = "firing"  #: a condition began or rose
    SUMMARY = "summary"  #: it happened again since the last message, so many times
    REMINDER = "reminder"  #: a condition still holds, and nobody has acknowledged it
    RESOLVED = "resolved"  #: a condition ended
    PASSED = "passed"  #: a condition began and ended before anybody was told
    DIGEST = "digest"  #: several messages that waited too long, as one
    TRACKED = "tracked"  #: a customer's call was paid for; for programs alone, and no part of any alert
    TEST = "test"  #: somebody asked for it


#: The step of a notification that takes back what a test has opened with its receiver.
TEST_RESOLVED: Final = f"{Step.TEST.value}:{Step.RESOLVED.value}"
#: How many messages one digest names at the most, whatever its channel could take.
MAX_ENTRIES: Final = 100


class Entry(BaseModel):
    """One message in a digest: its headline, and the id to look the alert up."""

    model_config = ConfigDict(frozen=True)

    alert_id: str
    type: AlertType
    severity: Severity
    step: Step
    headline: str
    count: int


class Message(BaseModel):
    """One message, vendor-neutral: channels only escape, arrange and cut it.

    ``headline`` is one line; ``text`` the seed page's ``Message:`` line or lines; ``facts`` are label and value in the
    order to show; ``members`` name occurrences, of which ``members_more`` are left out; ``count`` is what this message
    counts, since ``counted_since`` if there was one before it, and ``total`` what the alert counts since ``since``;
    ``metadata`` is what the caller asked to have shown. ``at`` is when this step happened. ``fingerprint``, ``labels``
    and ``figures`` are the alert's, for receivers that are programs. ``entries`` are the messages of a digest.
    ``tables`` and ``chart`` are a report's, for receivers that can show them, and ``attachments`` its files, which are
    read beside the message and never kept in it. ``page_url`` is where to read on. Every string is raw: it may contain
    anything a caller typed.
    """

    model_config = ConfigDict(frozen=True)

    alert_id: str
    type: AlertType
    severity: Severity
    step: Step
    headline: str
    text: str = ""
    at: datetime
    since: datetime
    counted_since: datetime | None = None
    count: int = 1
    total: int = 1
    facts: dict[str, str] = Field(default_factory=dict)
    members: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    members_more: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    proxy_url: str | None = None
    page_url: str | None = None
    fingerprint: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    attachments: tuple[Attachment, ...] = Field(default=(), exclude=True)
    entries: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = ()

    @property
    def facts_beside_tables(self) -> dict[str, str]:
        """The facts that no table repeats, for receivers that show the tables."""
        told = {label for table in self.tables for label in table.instead_of}
        return {label: value for label, value in self.facts.items() if label not in told}
