"""Tables in the terminal: with headers, whole in a pipe, and with whole ids in a narrow terminal."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from alertworker.cli.output import show_rows
from alertworker.cli.params import Moment

ID = "01a20a23-7752-7f27-b047-fa4b04cc253c"
LONG = " ".join(f"word{number}" for number in range(300))
ROW = {
    "id": ID,
    "count": 12,
    "headline": LONG,
    "created_at": datetime(2026, 11, 30, 12, tzinfo=UTC),
    "channel": None,
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def test_a_pipe_gets_each_row_whole_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However narrow the terminal, and also where colours are asked for."""
    for colour in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colour)
        show_rows([ROW, ROW | {"headline": "short"}], text="headline", as_json=False, empty="None.")
        header, first, second = capsys.readouterr().out.splitlines()

        assert header.split() == ["id", "count", "created", "at", "channel", "headline"]
        assert first == f"{ID}     12  2026-11-30 12:00:00 UTC           {LONG}"
        assert second == f"{ID}     12  2026-11-30 12:00:00 UTC           short"
        assert header.index("headline") == first.index("word0")


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb", "unknown"])
def test_a_terminal_wraps_free_text_and_breaks_no_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: str
) -> None:
    """Both are complete, also where rich cannot read the width of the terminal."""
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_rows([ROW], text="headline", as_json=False, empty="None.")
    _, first, *more = capsys.readouterr().out.splitlines()
    column = first.index("word0")

    assert first.startswith(f"{ID}     12  2026-11-30 12:00:00 UTC ")
    assert more
    assert " ".join(line[column:].strip() for line in (first, *more)) == LONG


def test_input_of_users_moves_no_cursor_and_begins_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not read as rich's markup either."""
    show_rows([{"id": "[red]x\n\x1b[2J", "text": "a\nb :fire:"}], text="text", as_json=False, empty="None.")

    assert capsys.readouterr().out.splitlines()[1] == "[red]x  a b :fire:"


def test_a_table_has_the_configured_zone_and_json_has_utc(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A time without an offset that is copied from a table is read in that zone, too."""
    monkeypatch.setenv("ALERTWORKER_TIME_ZONE", "Asia/Tokyo")
    row = {"id": ID, "at": datetime(2026, 11, 30, 12, tzinfo=UTC), "headline": "short"}
    for as_json in (False, True):
        show_rows([row], text="headline", as_json=as_json, empty="")

    _, table, line = capsys.readouterr().out.splitlines()
    assert "2026-11-30 21:00:00 JST" in table
    assert '"at": "2026-11-30T12:00:00+00:00"' in line
    assert Moment().convert("2026-11-30 21:00:00", None, None) == row["at"]
