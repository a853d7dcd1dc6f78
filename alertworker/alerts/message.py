"""One step of one alert as a person reads it, complete with its numbers, before any vendor's form."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Attachment, Chart, Table


class Step(StrEnum):
    """The step in an alert's life that a message is about."""

    NOTICE = "notice"  # it happened; the first message about it
    FIRING = "firing"  #: a condition began or rose
    SUMMARY = "summary"  # it happened again since the last message, with the number of occurrences
    REMINDER = "reminder"  #: a condition still holds, and it is not acknowledged
    RESOLVED = "resolved"  #: a condition ended
    FIRED_AND_RESOLVED = "passed"  #: a condition began and ended before any channel was notified
    DIGEST = "digest"  #: several messages that waited too long, as one
    TRACKED = "tracked"  # a customer's call was paid for; for programs only, without an alert
    TEST = "test"  # a person requested it


class StepKey(NamedTuple):
    """The key of a message of an alert. It is unique per alert and channel.

    ``number`` counts the messages of an alert. A message that an alert has only once has no number. ``of_test``
    marks a test message, and the message that resolves at the receiver what a test opened. Rows hold a key as a
    string, which older and newer versions read, too.
    """

    step: Step
    number: int | None = None
    of_test: bool = False

    def __str__(self) -> str:
        """Return the string of a row.

        >>> str(StepKey(Step.FIRING, 3)), str(StepKey(Step.DIGEST)), str(TEST), str(TEST_RESOLVED)
        ('firing:3', 'digest', 'test', 'test:resolved')
        """
        if self.of_test and self.step is not Step.TEST:
            return f"{Step.TEST}:{self.step}"
        return str(self.step) if self.number is None else f"{self.step}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> StepKey | None:
        """Return the key for the string of a row, or ``None`` if only a newer version knows the step.

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
#: The maximum number of messages in one digest, for every channel.
MAX_ENTRIES: Final = 100


class Entry(BaseModel):
    """One message in a digest: its headline, and the id by which to look the alert up."""

    model_config = ConfigDict(frozen=True)

    alert_id: str
    type: AlertType
    severity: Severity
    step: Step
    headline: str
    count: int


class Message(BaseModel):
    """One message, vendor-neutral: channels only escape, arrange and cut it.

    ``headline`` is one line. ``text`` is the seed page's ``Message:`` line or lines. ``facts`` are label and value
    in the order to show. ``members`` name occurrences, and ``members_more`` is the number of further ones. ``count``
    is what this message counts, since ``counted_since`` if there was an earlier message, and ``total`` what the
    alert counts since ``since``. ``metadata`` is the caller's own, to be shown. ``at`` is when this step happened.

    ``fingerprint``, ``labels`` and ``figures`` are the alert's, for receivers that are programs. ``entries`` are the
    messages of a digest. ``tables`` and ``chart`` are a report's, for receivers that can show them. ``attachments``
    are its files, which are read beside the message and never stored in it. ``page_url`` links to the details.
    ``what_to_do`` is the first thing to do, and ``runbook_url`` the operator's own page about it; see `advice`. Times
    are shown in ``zone``. Every string is raw: it may contain anything a caller typed.
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
    what_to_do: str = ""
    runbook_url: str | None = None
    zone: str = "UTC"
    fingerprint: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    figures: BudgetFigures | None = None
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None
    attachments: tuple[Attachment, ...] = Field(default=(), exclude=True)
    entries: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = ()

    def without_advice(self) -> Message:
        """Return the message without `what_to_do` and `runbook_url`."""
        return self.model_copy(update={"what_to_do": "", "runbook_url": None})

    @property
    def time_zone(self) -> ZoneInfo:
        """The time zone to show times in: UTC if this machine does not know the zone."""
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo("UTC")

    @property
    def facts_beside_tables(self) -> dict[str, str]:
        """The facts that no table repeats, for receivers that show the tables."""
        shown = {label for table in self.tables for label in table.instead_of}
        return {label: value for label, value in self.facts.items() if label not in shown}
