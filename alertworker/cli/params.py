"""Parameter types of the command line: strings, durations and times."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from typing_extensions import override

from alertworker.cli.output import configured_zone
from alertworker.text.format import read_duration
from alertworker.text.ids import unstorable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Text(click.types.StringParamType):
    """A string that every database stores. Linux passes any bytes, also such that are not UTF-8."""

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the string, or fail with the character that cannot be stored."""
        text = super().convert(value, param, ctx)
        problem = unstorable(text)
        if problem is not None:
            self.fail(problem, param, ctx)
        return text


def check_strings(command: click.Command) -> None:
    """Make every parameter of a command and its subcommands that takes a string check it."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = Text()
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        check_strings(inner)


class Choice(click.ParamType[str]):
    """One of several strings. They are read from their registry, which is slow to import, only when they are needed."""

    name = "choice"

    def __init__(self, strings: Callable[[], Iterable[str]]) -> None:
        self._strings = strings

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the string, or fail with the nearest one and all others."""
        return click.Choice(list(self._strings())).convert(value, param, ctx)

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the strings that begin so."""
        return click.Choice(list(self._strings())).shell_complete(ctx, param, incomplete)


class Duration(click.ParamType[timedelta]):
    """A number with a unit, as in Alertmanager: 90s, 30m, 2h, 1d, 1w."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration, or fail with an example."""
        if isinstance(value, timedelta):
            return value
        try:
            return read_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A time such as 2026-11-25T09:00+01:00, in the configured zone if it has no offset; or an age such as 2h.

    With ``keep_naive`` a time without an offset stays without a zone: the command decides on one.
    """

    name = "time"

    def __init__(self, *, keep_naive: bool = False) -> None:
        self._keep_naive = keep_naive

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time, or fail with an example."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - read_duration(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
            if self._keep_naive and moment.tzinfo is None:
                return moment
            return (moment if moment.tzinfo else moment.replace(tzinfo=configured_zone())).astimezone(UTC)
        except (ValueError, OverflowError):
            example = "2026-11-25T09:00+01:00, or 2h for 2 hours ago"
            self.fail(f"invalid time {value!r}: expected, for example, {example}", param, ctx)


class Day(click.DateTime):
    """A day such as 2026-11-25, at midnight without a zone."""

    name = "day"

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    @override
    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the form of the value in the help."""
        return "YYYY-MM-DD"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the day, or fail with an example."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"invalid day {value!r}: expected, for example, 2026-11-25", param, ctx)


def account() -> str:
    """Return the name of the user account, or its number: a container may run as a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


BY = click.option("--by", default=account, help="Your name. Default: the name of your user account.")
LOG_LEVEL = click.option(
    "--loglevel", default="INFO", show_default=True, help="Lowest level to log: DEBUG, INFO, WARNING or ERROR."
)
SINCE = click.option("--since", type=Moment(), help="From this time on: 2026-11-25T09:00Z, or 2h for 2 hours ago.")
UNTIL = click.option("--until", type=Moment(), help="Before this time.")
