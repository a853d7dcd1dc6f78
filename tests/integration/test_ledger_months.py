"""Any range of days, read from whole months and the days around them, equals the sum of its days."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import Attribution
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.store import SqlLedgerReader, SqlStore
from alertworker.store.ledger.months import months_and_days
from alertworker.store.schema.ledger import SPEND, SPEND_MONTHS
from alertworker.store.transaction import SqlTransaction
from tests.integration.harness import rows

FIRST = date(2025, 10, 17)
DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 31))


@given(one=DAYS, other=DAYS)
def test_a_stretch_is_cut_into_all_its_days(one: date, other: date) -> None:
    """Each day is in it once. Months are whole, and no whole month is left among single days."""
    days = Days(min(one, other), max(one, other))
    months, around = months_and_days(days)
    pieces = sorted([*around, *([months] if months else [])], key=lambda piece: piece.first)

    assert (pieces[0].first, pieces[-1].last) == (days.first, days.last)
    assert all(piece.first <= piece.last for piece in pieces)
    for earlier, later in pairwise(pieces):
        assert later.first == earlier.last + timedelta(days=1)
    if months:
        assert months.first.day == (months.last + timedelta(days=1)).day == 1
    for piece in around:
        assert months_and_days(piece) == (None, [piece])


def test_the_last_day_that_there_is_ends_a_stretch(store: SqlStore) -> None:
    """The month after it has no date."""
    last = date.max
    assert months_and_days(Days(last, last)) == (None, [Days(last, last)])
    assert months_and_days(Days(date(9999, 10, 2), last)) == (
        Days(date(9999, 11, 1), date(9999, 11, 30)),
        [Days(date(9999, 10, 2), date(9999, 10, 31)), Days(date(9999, 12, 1), last)],
    )
    assert SqlLedgerReader(store.engine).total(Days(FIRST, last)) == SpendSums()


def test_every_range_equals_the_sum_of_its_days(store: SqlStore) -> None:
    """The range is over more than a year, with late days, for all entities, for a team's, and for single ones."""
    chance = random.Random(5)
    for _ in range(12):
        store.run(lambda tx: tx.ledger.add(some_days(chance), max_entities=1_000))
    posted = {SpendKey(row.day, row.dimension, *row[2:5]): SpendSums(*row[5:]) for row in rows(store, SPEND)}
    ledger = SqlLedgerReader(store.engine)

    def added(days: Days, dimension: str, fits: Callable[[SpendKey], bool]) -> dict[str, int]:
        spent: dict[str, int] = {}
        for key, sums in posted.items():
            if key.dimension == dimension and days.first <= key.day <= days.last and fits(key):
                spent[key.entity] = spent.get(key.entity, 0) + sums.spend_nanos
        return spent

    for _ in range(40):
        start = FIRST + timedelta(days=chance.randrange(420))
        days = Days(start, start + timedelta(days=chance.choice([0, 6, 29, chance.randrange(420)])))
        for dimension in ("team", "tag", "key", "key/model"):
            whole = added(days, dimension, lambda _key: True)
            assert {row.entity: row.sums.spend_nanos for row in ledger.totals(dimension, days)} == whole
        assert ledger.total(days).spend_nanos == sum(added(days, "team", lambda _key: True).values())
        of_team = added(days, "tag", lambda key: key.team_id == "t1")
        assert {row.entity: row.sums.spend_nanos for row in ledger.totals("tag", days, team_id="t1")} == of_team
        assert ledger.spent("tag", "x", days).spend_nanos == added(days, "tag", lambda _key: True).get("x", 0)
        named = added(days, "tag", lambda key: key.entity in ("x", "y"))
        assert store.run(partial(spend_of_tags, days=days)) == named


def spend_of_tags(tx: SqlTransaction, days: Days) -> dict[str, int]:
    """Return the spend of the tags x and y."""
    return tx.user_totals.spend_by_entity("tag", "xy", days.first, days.last)


def test_months_are_forgotten_whole(store: SqlStore) -> None:
    """A month's own rows then always equal the sum of its days' rows."""
    store.run(lambda tx: tx.ledger.add(some_days(random.Random(5), 300), max_entities=1_000))
    while store.run(lambda tx: tx.retention.prune_ledger(before=date(2026, 5, 20))):
        pass

    assert min(row.day for row in rows(store, SPEND)) == date(2026, 5, 1)
    assert min(row.month for row in rows(store, SPEND_MONTHS)) == date(2026, 5, 1)


def test_a_month_that_is_being_forgotten_is_read_no_more(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each piece of it: neither its own rows, nor its days one by one or together, nor half of any of them."""
    monkeypatch.setattr("alertworker.store.retention._LEDGER_PIECE", 7)
    store.run(lambda tx: tx.ledger.add(some_days(random.Random(5), 300), max_entities=1_000))
    ledger, kept_from = SqlLedgerReader(store.engine), date(2026, 5, 1)
    kept = sum(row.spend_nanos for row in rows(store, SPEND) if row.dimension == "team" and row.day >= kept_from)
    more, pieces = True, 0
    while more:
        more, pieces = store.run(lambda tx: tx.retention.prune_ledger(before=date(2026, 5, 20))), pieces + 1
        for last in (date(2026, 4, 29), date(2026, 4, 30)):
            assert ledger.total(Days(date(2026, 4, 1), last)) == SpendSums()
            assert ledger.totals("tag", Days(FIRST, last)) == []
        assert min(ledger.by_day(Days(FIRST, date(2027, 1, 1)))) >= kept_from
        for last in (date(2027, 1, 31), date(2027, 2, 1)):
            assert ledger.total(Days(FIRST, last)).spend_nanos == kept

    assert pieces > 10
    store.run(lambda tx: tx.retention.prune_ledger(before=date(2025, 12, 20)))
    store.run(lambda tx: tx.ledger.add(some_days(random.Random(5), 300), max_entities=1_000))
    assert ledger.total(Days(date(2026, 4, 1), date(2026, 4, 30))).requests, "they are kept for longer now"


def some_days(chance: random.Random, days: int = 60) -> Postings:
    """Return the postings of some calls on this many days out of 450."""
    ledger = Postings()
    for offset in chance.sample(range(450), days):
        key = chance.choice("kl")
        tags = tuple(chance.sample("xyz", chance.randint(0, 3)))
        whose = Attribution(team_id=chance.choice(["t1", "t2", ""]), key_hash=key, model="gpt-4o", tags=tags)
        sums = SpendSums(requests=1, spend_nanos=chance.randrange(10**12))
        ledger.add_calls(FIRST + timedelta(days=offset), whose, sums)
    return ledger
