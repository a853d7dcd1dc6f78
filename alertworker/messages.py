"""What a person reads, before any vendor's form: one step of one alert, complete with its numbers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alertworker.alerts import AlertType, Severity


class Step(StrEnum):
    """Which moment in an alert's life a message tells of."""

    NOTICE = "notice"  #: it happened; the first message about it
    FIRING = "firing"  #: a condition began or rose
    SUMMARY = "summary"  #: it happened again since the last message, so many times
    RESOLVED = "resolved"  #: a condition ended
    TEST = "test"  #: somebody asked for it


class Message(BaseModel):
    """One message, vendor-neutral: channels only escape, arrange and cut it.

    ``headline`` is one line; ``text`` the seed page's ``Message:`` line or lines; ``facts`` are label and value in the
    order to show; ``members`` name occurrences, of which ``members_more`` are left out; ``count`` is what this message
    counts and ``total`` what the alert counts since ``since``; ``metadata`` is what the caller asked to have shown.
    ``at`` is when this step happened. Every string is raw: it may contain anything a caller typed.
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
    count: int = 1
    total: int = 1
    facts: dict[str, str] = Field(default_factory=dict)
    members: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    members_more: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    proxy_url: str | None = None
