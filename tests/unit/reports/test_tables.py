"""Tables as data: cutting loses nothing that adds up, and a spreadsheet gets no formulas from other people's names."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Column, Table, Unit, show
from alertworker.reports.csv_export import csv_of
from tests.integration.harness import NOW

COLUMNS = (
    Column(name="Team"),
    Column(name="Spend", unit=Unit.DOLLARS),
    Column(name="Change", unit=Unit.CHANGE),
    Column(name="Requests", unit=Unit.COUNT),
)


def table(amounts: list[int], *, sums: bool = True) -> Table:
    """Make a table of teams."""
    rows = tuple((f"t{number}", amount, 1.0, 1) for number, amount in enumerate(amounts))
    return Table(title="By team", columns=COLUMNS, rows=rows, sums=sums, instead_of=("By team", "No team"))


@given(st.lists(st.integers(0, 10**18), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_omitted_rows_are_counted_and_summed(amounts: list[int], first: int, second: int) -> None:
    """Also when it is cut twice: once for the message, once for a chat."""
    made = table(amounts).head(first).head(second)

    assert len(made.rows) == min(len(amounts), first, second)
    assert made.more == len(amounts) - len(made.rows)
    shown = sum(int(row[1] or 0) for row in made.rows)
    assert shown + int((made.rest or (0, 0))[1] or 0) == sum(amounts)


def test_a_table_without_sums_has_no_sum() -> None:
    """A call with two tags is in two rows."""
    made = table([3, 2, 1], sums=False).head(1)

    assert made.rest is None
    assert made.lines()[-1] == (("and 2 more", None, None, None), True)


def test_every_row_is_shown_in_order_and_rows_without_an_entity_are_marked() -> None:
    """The highest, the rest as one, what has no team, and all."""
    made = table([3, 2, 1]).model_copy(update={"apart": (("no team", 5, None, 1),), "total": ("All", 11, None, 4)})

    assert [(str(row[0]), several) for row, several in made.head(2).lines()] == [
        ("t0", False),
        ("t1", False),
        ("and 1 more", True),
        ("no team", False),
        ("All", True),
    ]


def test_cells_are_read_by_their_type() -> None:
    """Nano-dollars as dollars, a share with its sign."""
    cells = [(4_102_000_000_000, Unit.DOLLARS), (31.4, Unit.CHANGE), (0.21, Unit.SECONDS), (16.66, Unit.PERCENT)]

    assert [show(*cell) for cell in cells] == ["$4,102", "+31 %", "0.21 s", "16.7 %"]
    assert show(None, Unit.DOLLARS) == ""


def test_facts_in_a_table_are_not_repeated() -> None:
    """Receivers without tables still get them."""
    facts = {"By team": "t0 $1", "No team": "$5", "Requests": "4"}
    message = Message(
        alert_id="a",
        type=AlertType.SPEND_REPORTS,
        severity=Severity.LOW,
        step=Step.NOTICE,
        headline="Spend",
        at=NOW,
        since=NOW,
        facts=facts,
        tables=(table([1]),),
    )

    assert message.facts_beside_tables == {"Requests": "4"}
    assert Message.model_validate_json(message.model_dump_json()) == message


FORMULA = tuple("=+-@\t\r\n＝＋－＠")
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.builds("".join, st.tuples(st.sampled_from(FORMULA), st.text(st.characters(codec="utf-8"), max_size=5))),
)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), TEXTS), max_size=5))
def test_a_program_reads_the_csv_back_and_a_spreadsheet_runs_nothing(rows: list[dict[str, str]]) -> None:
    """Columns that a row lacks are empty; what would be run as a formula is the same text behind a quote."""
    read = list(csv.DictReader(io.StringIO(csv_of(rows), newline="")))

    names = list(dict.fromkeys(name for row in rows for name in row))
    assert len(read) == len(rows if names else [])
    for cells, row in zip(read, rows if names else [], strict=True):
        for name in names:
            wanted = row.get(name, "")
            assert cells[name] in (wanted, f"'{wanted}")
            assert not cells[name].startswith(FORMULA) or float(cells[name]) is not None


def test_a_name_is_no_formula_and_a_number_stays_one() -> None:
    """Negative numbers begin as a formula does."""
    rows = [{"name": '=HYPERLINK("http://evil.example")', "change": "-12.5", "n": -3, "parts": {"a": 1}}]
    text = csv_of(rows)

    assert text.startswith("name,change,n,parts\r\n")
    assert "\"'=HYPERLINK(" in text
    assert ',-12.5,-3,"{""a"": 1}"' in text


def test_columns_that_are_named_have_their_line_without_rows() -> None:
    """A program that reads the file then knows them."""
    assert (csv_of([], ["entity", "spend"]), csv_of([])) == ("entity,spend\r\n", "")


@pytest.mark.parametrize(
    ("change", "shown"),
    [(0.0, "0 %"), (-0.0, "0 %"), (0.4, "0 %"), (-0.4, "0 %"), (0.6, "+1 %"), (-0.6, "-1 %"), (-31.4, "-31 %")],
)
def test_no_change_has_no_sign(change: float, shown: str) -> None:
    """A change that rounds to 0 went neither up nor down."""
    assert show(change, Unit.CHANGE) == shown
