"""What a person reads, before any vendor's form: one step of one alert, complete with its numbers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Attachment, Chart, Table


class Step(StrEnum):
    """Which moment in an alert's life a message is about."""

    NOTICE = "notice"  #: it happened; the first message about it
    FIRING = "firing"  #: a condition began or rose
    SUMMARY = "summary"  #: it happened again since the last message, so many times
    REMINDER = "reminder"  #: a condition still holds, and nobody has acknowledged it
    RESOLVED = "resolved"  #: a condition ended
    FIRED_AND_RESOLVED = "passed"  #: a condition began and ended before anybody was notified
    DIGEST = "digest"  #: several messages that waited too long, as one
    TRACKED = "tracked"  #: a customer's call was paid for; for programs alone, and no part of any alert
    TEST = "test"  #: somebody asked for it


class StepKey(NamedTuple):
    """Which message of an alert a notification carries: no alert has two with one key for one channel.

    ``number`` counts the messages of an alert; what an alert has only once has none. ``of_test`` marks a test message,
    and the message that takes back what a test has opened with its receiver. Rows hold a key as text, which older and
    newer versions read, too.
    """

    step: Step
    number: int | None = None
    of_test: bool = False

    def __str__(self) -> str:
        """Return the text of a row.

        >>> str(StepKey(Step.FIRING, 3)), str(StepKey(Step.DIGEST)), str(TEST), str(TEST_RESOLVED)
        ('firing:3', 'digest', 'test', 'test:resolved')
        """
        if self.of_test and self.step is not Step.TEST:
            return f"{Step.TEST}:{self.step}"
        return str(self.step) if self.number is None else f"{self.step}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> StepKey | None:
        """Read the text of a row; ``None`` where only a newer version knows the step.

        >>> StepKey.parse("firing:3") == StepKey(Step.FIRING, 3), StepKey.parse("escalation:3")
        (True, None)
        """
        name, _, more = text.partition(":")
        of_test = name == Step.TEST
        step = more if of_test and more else name
        if step not in set(Step):
            return None
        return cls(Step(step), int(more) if more.isdecimal() else None, of_test)


TEST: Final = StepKey(Step.TEST, of_test=True)
TEST_RESOLVED: Final = StepKey(Step.RESOLVED, of_test=True)
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
