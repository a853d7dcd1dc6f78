"""Times on the command line: an odd one is an error that names it, not a traceback."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from alertworker.cli import cli
from alertworker.cli.params import Moment


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
