"""Strings and times on the command line: an odd one is an error that names it, not a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from alertworker.cli import COMMANDS, cli
from alertworker.cli.params import Moment, account


def strings(command: click.Command) -> Iterator[click.Parameter]:
    """Return every parameter of a command and its subcommands that takes a string."""
    yield from (param for param in command.params if isinstance(param.type, click.types.StringParamType))
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from strings(inner)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("text", ["a\0", "\udcffb"])
def test_no_parameter_takes_what_a_database_does_not_store(name: str, text: str) -> None:
    """PostgreSQL refuses NUL. A byte of an argument that is not UTF-8 is half of a surrogate pair in Python."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    for param in strings(found):
        with pytest.raises(click.BadParameter, match=r"character [12] is"):
            param.type.convert(text, param, None)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["silences", "add", "team=x", "--reason", "a\udcff"], "'--reason': character 2 is not valid Unicode; write"),
        (["silences", "add", "team=x", "--reason", "r", "--by", "\0"], "'--by': character 1 is NUL; remove it"),
        (["silences", "add", "team=\udcff", "--reason", "r"], "'MATCHERS...': character 6 is not valid Unicode"),
        (["alerts", "show", "\udcff"], "'ALERT_ID': character 1 is not valid Unicode"),
        (["deadletters", "list", "--channel", "\udcff"], "'--channel': character 1 is not valid Unicode"),
        (["spend", "--team", "\udcff"], "'--team': character 1 is not valid Unicode"),
    ],
)
def test_the_error_names_the_parameter(command: list[str], said: str) -> None:
    """Before anything is read or written."""
    refused = CliRunner().invoke(cli, command)
    assert (refused.exit_code, said in " ".join(refused.output.replace("│", " ").split())) == (2, True), refused.output


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "soon", "2026-13-01T00:00Z"]
)
def test_a_time_that_has_no_utc_is_refused(text: str) -> None:
    """Near the years 1 and 9999 a conversion to another zone overflows."""
    with pytest.raises(click.BadParameter, match="invalid time"):
        Moment().convert(text, None, None)


def test_a_day_without_an_offset_can_stay_without_a_zone() -> None:
    """The daily sums of an import are in UTC, and its calls in the configured zone."""
    naive = Moment(keep_naive=True)
    assert naive.convert("2026-11-20", None, None) == datetime(2026, 11, 20)  # noqa: DTZ001
    assert naive.convert("2026-11-20T15:04+01:00", None, None) == datetime(2026, 11, 20, 14, 4, tzinfo=UTC)


def test_an_invalid_cut_over_is_named_with_an_example() -> None:
    refused = CliRunner().invoke(cli, ["spend", "import", "--until", "soon"])
    assert "invalid time 'soon': expected, for example, 2026-11-25T09:00+01:00" in " ".join(refused.output.split())


@pytest.mark.parametrize(
    "command", [["spend", "--since"], ["spend", "import", "--since"], ["report", "daily", "--period"]]
)
def test_an_invalid_day_is_named_with_an_example(command: list[str]) -> None:
    """The help shows the form of a day, too."""
    refused = CliRunner().invoke(cli, [*command, "2026-13-01"])
    assert "invalid day '2026-13-01': expected, for example, 2026-11-25" in " ".join(refused.output.split())
    assert f"{command[-1]} YYYY-MM-DD" in CliRunner().invoke(cli, [*command[:-1], "--help"]).output


def test_a_silence_that_would_end_after_the_last_year_is_refused() -> None:
    """No database holds such a time."""
    command = ["silences", "add", "team=x", "--reason", "r", "--start", "9999-12-31T00:00Z", "--for", "1w"]
    refused = CliRunner().invoke(cli, command)
    assert "after the year 9999; pass an earlier --start" in str(refused.exception)


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenShift starts a container as a random user, which no file lists."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_000_650_000)
    assert account() == "1000650000"
