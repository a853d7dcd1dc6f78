"""Receivers, routes, time intervals and inhibitions as they are written, in Alertmanager's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from alertworker.errors import AlertWorkerError
from alertworker.routing.matchers import parse_list
from alertworker.routing.time_intervals import (
    read_days_of_month,
    read_months,
    read_times,
    read_weekdays,
    read_years,
)
from alertworker.settings.channel_config import Channel
from alertworker.settings.values import SECONDS, AnnotationsConfig, FileModel, ZoneName


def _readable(read: Callable[[str], object]) -> AfterValidator:
    """Return a validator that keeps a string as it is written, if it can be read."""

    def check(text: str) -> str:
        try:
            read(text)
        except AlertWorkerError as error:
            raise ValueError(str(error)) from None
        return text

    return AfterValidator(check)


def _spelled(value: object) -> object:
    """Return a number as a string: YAML makes numbers of 2026 and 12."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_NUMBER: Final = BeforeValidator(_spelled, json_schema_input_type=str | int)
Seconds = Annotated[float, Field(gt=0, strict=True), SECONDS]
Name = Annotated[str, Field(min_length=1)]
#: As in Alertmanager, one string can hold several matchers, separated by commas.
MatcherText = Annotated[str, _readable(parse_list)]
Matchers = Annotated[tuple[MatcherText, ...], Field(examples=["['team=\"search\"']"])]
Weekdays = Annotated[str, _readable(read_weekdays), _NUMBER]
DaysOfMonth = Annotated[str, _readable(read_days_of_month), _NUMBER]
Months = Annotated[str, _readable(read_months), _NUMBER]
Years = Annotated[str, _readable(read_years), _NUMBER]
TimeOfDay = Annotated[
    str, Field(examples=['"09:00"']), WithJsonSchema({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"})
]


class ReceiverConfig(FileModel):
    """A named list of channels."""

    name: Name
    """Name that routes use."""
    channels: tuple[Channel, ...] = ()
    """Channels that get the messages of this receiver."""
    selectable: StrictBool = False
    """Let the metadata of teams and keys name this receiver as their alert_receiver."""


class TimesConfig(FileModel):
    """A range of times of one day."""

    start_time: TimeOfDay
    """Start of the range, included. Quotes are needed."""
    end_time: TimeOfDay
    """End of the range, not included; 24:00 is the end of the day. Quotes are needed."""

    @field_validator("start_time", "end_time")
    @classmethod
    def _in_order(cls, value: str, info: ValidationInfo) -> str:
        times = (value, "24:00") if info.field_name == "start_time" else (info.data.get("start_time", "00:00"), value)
        try:
            read_times(*times)
        except AlertWorkerError as error:
            raise ValueError(str(error)) from None
        return value


class IntervalConfig(FileModel):
    """A period of the calendar. All that it names must hold."""

    times: tuple[TimesConfig, ...] = ()
    """Ranges of times of the day."""
    weekdays: Annotated[tuple[Weekdays, ...], Field(examples=['["monday:friday"]'])] = ()
    """Days of the week, or ranges of them."""
    days_of_month: Annotated[tuple[DaysOfMonth, ...], Field(examples=['["1:5", "-3:-1"]'])] = ()
    """Days of the month, or ranges of them; -1 is the last day. Quotes are needed."""
    months: Annotated[tuple[Months, ...], Field(examples=['["december", "1:3"]'])] = ()
    """Months, or ranges of them, by name or number."""
    years: Annotated[tuple[Years, ...], Field(examples=['["2026:2028"]'])] = ()
    """Years, or ranges of them."""
    location: ZoneName | None = None
    """Time zone of this interval. The configured time zone is the default."""


class TimeIntervalConfig(FileModel):
    """Named intervals. One of them must contain the moment."""

    name: Name
    """Name that routes use."""
    time_intervals: tuple[IntervalConfig, ...] = ()
    """The intervals."""


class RouteConfig(FileModel):
    """A node of the routing tree. Its children are asked first."""

    receiver: str | None = None
    """Name of the receiver; "" sends nothing. The parent's receiver is the default."""
    matchers: Matchers = ()
    """Label tests that an alert must pass, such as team="search"."""
    routes: tuple[RouteConfig, ...] = ()
    """Children of this route."""
    continue_: Annotated[StrictBool, Field(alias="continue")] = False
    """Ask the next sibling, too, after this route has taken an alert."""
    group_interval: Seconds | None = None
    """Seconds between a first message and the summary of what followed."""
    repeat_interval: Seconds | None = None
    """Seconds between two reminders."""
    active_time_intervals: tuple[str, ...] = ()
    """Names of the time intervals outside which this route is muted."""
    mute_time_intervals: tuple[str, ...] = ()
    """Names of the time intervals in which this route is muted."""
    annotations: AnnotationsConfig = AnnotationsConfig()
    """The advice, and the URL of a runbook, in messages that this route sends."""


class RootConfig(RouteConfig):
    """The root of the routing tree. It takes every alert that no child takes."""

    receiver: str
    """Name of the receiver of all other alerts; "default" is the chats of the environment, "" sends nothing."""

    @field_validator("matchers")
    @classmethod
    def _unconditional(cls, matchers: tuple[str, ...]) -> tuple[str, ...]:
        if matchers:
            raise ValueError("the root route takes every alert; move the matchers to a route under routes")
        return matchers


class InhibitionConfig(FileModel):
    """A rule: while a condition that passes ``source`` fires, alerts that pass ``target`` are muted."""

    source: Annotated[Matchers, Field(json_schema_extra={"minItems": 1})]
    """Label tests of the condition that mutes."""
    target: Annotated[Matchers, Field(json_schema_extra={"minItems": 1})]
    """Label tests of the alerts that are muted."""
    equal: tuple[str, ...] = ()
    """Labels that must be equal on both."""

    @field_validator("source", "target")
    @classmethod
    def _not_empty(cls, matchers: tuple[str, ...]) -> tuple[str, ...]:
        if not matchers:
            raise ValueError("needs at least one matcher; expected, for example, ['team=\"search\"']")
        return matchers
