"""Budgets from the configuration: which entity has which, and from when to when its period goes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest

from alertworker.budgets.configured import CapExemptions, OwnBudget, matching_budgets
from alertworker.budgets.readings import SHARES
from alertworker.settings import load_settings
from alertworker.settings.loader import ConfigurationError

NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("period", "day", "first", "end"),
    [
        ("day", date(2026, 11, 23), date(2026, 11, 23), date(2026, 11, 24)),
        ("week", date(2026, 11, 29), date(2026, 11, 23), date(2026, 11, 30)),
        ("month", date(2024, 2, 29), date(2024, 2, 1), date(2024, 3, 1)),
        ("month", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("30d", date(2024, 1, 30), date(2024, 1, 1), date(2024, 1, 31)),
        ("30d", date(2024, 1, 31), date(2024, 1, 31), date(2024, 3, 1)),
        ("30d", date(2023, 12, 31), date(2023, 12, 2), date(2024, 1, 1)),
    ],
)
def test_periods_are_calendar_ones_or_counted_from_an_anchor(period: str, day: date, first: date, end: date) -> None:
    """Also before the anchor, over leap days and over the end of the year."""
    assert OwnBudget(dimension="tag", max=1, period=period).days(day) == (first, end)


def test_of_each_period_the_first_that_fits_by_id_or_name_is_an_entitys() -> None:
    """Single entities come before the pattern for all others."""
    budgets = [
        OwnBudget(dimension="team", entity="search", max=500),
        OwnBudget(dimension="team", entity="*", max=100),
        OwnBudget(dimension="team", entity="*", max=9, period="day", thresholds=(90, 50)),
        OwnBudget(dimension="tag", entity="batch-*", max=5),
    ]
    entities = [("team", "t1"), ("team", "t2"), ("team", ""), ("tag", "batch-7"), ("tag", "other"), ("tag", "(other)")]
    found = matching_budgets(budgets, entities, {("team", "t1"): "search"}, {}, zone=BERLIN, now=NOW)
    limits = {key.stored: period.reading.max_nanos for key, period in found.items()}

    assert limits == {
        ("own team month", "t1"): 500_000_000_000,
        ("own team day", "t1"): 9_000_000_000,
        ("own team month", "t2"): 100_000_000_000,
        ("own team day", "t2"): 9_000_000_000,
        ("own tag month", "batch-7"): 5_000_000_000,
    }
    shares = {key.name: period.reading.shares for key, period in found.items()}
    assert (shares["own team day"], shares["own team month"]) == ((50, 90), SHARES)


@pytest.mark.parametrize(
    ("pattern", "names", "fits"),
    [
        ("batch-*", ("batch-7", ""), True),
        ("batch-?", ("batch-77", ""), False),
        ("[prod] *", ("[prod] chat", ""), True),
        ("[prod] *", ("p chat", ""), False),
        ("Search", ("t1", "Search"), True),
        ("search", ("t1", "Search"), False),
        ("*", ("", ""), False),
    ],
)
def test_a_pattern_knows_two_signs_and_nothing_else(pattern: str, names: tuple[str, str], fits: bool) -> None:
    """Brackets stand for themselves: names of teams and tags have them."""
    assert OwnBudget(dimension="tag", entity=pattern, max=1).matches(*names) is fits


def test_a_keys_budget_goes_by_its_name() -> None:
    """Two hashes of one name are one budget; a key without a name has one of its own."""
    found = matching_budgets(
        [OwnBudget(dimension="key", max=1)],
        [("key", "h1"), ("key", "h2"), ("key", "h3")],
        {("key", "h1"): "app", ("key", "h2"): "app"},
        {},
        zone=BERLIN,
        now=NOW,
    )

    assert [key.entity for key in found] == ["app", "h3"]


def test_days_are_those_of_the_configured_zone() -> None:
    """Half past eleven in the evening in London is tomorrow in Berlin."""
    (period,) = matching_budgets(
        [OwnBudget(dimension="tag", max=1, period="day")], [("tag", "x")], {}, {}, zone=BERLIN, now=NOW
    ).values()

    assert (period.first, period.last) == (date(2026, 11, 24), date(2026, 11, 24))
    assert period.reading.reset_at == datetime(2026, 11, 24, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "names", "kept"),
    [
        ("u9", (), True),
        ("alice@example.com", ("alice@example.com",), True),
        ("*@example.com", ("alice@example.com",), True),
        ("*@example.com", ("bob@example.org", "alice@example.com"), True),
        ("u*", (), False),
        ("*", (), False),
        ("u8", ("alice@example.com",), False),
    ],
)
def test_a_budgets_entity_is_kept_and_a_pattern_matches_names_only(
    pattern: str, names: tuple[str, ...], kept: bool
) -> None:
    """Callers make up ids, so that a pattern for them would keep any number of rows."""
    budgets = CapExemptions((OwnBudget(dimension="user", entity=pattern, max=1),))

    assert budgets.covers("user", "u9", names) is kept
    assert not budgets.covers("customer", "u9", names)


def test_they_are_read_from_our_section_and_a_mistake_is_named(tmp_path: Path) -> None:
    """The error has the file, the line, the entry and the field."""
    path = tmp_path / "config.yaml"
    path.write_text("alertworker:\n  budgets:\n    - {dimension: tag, entity: x, max: 12.5, thresholds: [50]}\n")
    (budget,) = load_settings(environ={}, config=path).budgets
    assert (budget.entity, budget.max, budget.period, budget.thresholds) == ("x", 12.5, "month", (50,))

    path.write_text("alertworker:\n  budgets:\n    - {dimension: tags, max: 12.5}\n")
    with pytest.raises(ConfigurationError, match=r"config\.yaml:3 alertworker\.budgets\[0\]\.dimension"):
        load_settings(environ={}, config=path)


@pytest.mark.parametrize("pattern", ["*a" * 120 + "*b", "*a?" * 80 + "b", "*?" * 120 + "b", "*" * 255 + "b"])
def test_a_pattern_never_takes_long(pattern: str) -> None:
    """Names come from callers: a pattern with many stars must not try every way to divide one among them."""
    started = perf_counter()

    assert not OwnBudget(dimension="tag", entity=pattern, max=1).matches("a" * 256)
    assert perf_counter() - started < 2
