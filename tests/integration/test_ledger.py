"""The ledger on both databases: the result of a batch's upsert, caps, names, and queries."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.events import AttemptFailed, Attribution, Event, Failure, Origin
from alertworker.folding import fold
from alertworker.ledger.cardinality import MAX_OUTCOMES, OTHER
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.ledger.time_zone import ZoneChange
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import AdminStore, SqlLedgerReader, SqlStore
from alertworker.store.schema.ledger import FALLBACKS, LATENCIES, OUTCOMES, SPEND_SIZES
from tests.integration.harness import NOW, answered, assert_ledger_agrees, batch, failed, ledger_days, rows

TODAY = NOW.date()
DAYS = Days(TODAY, TODAY)
YESTERDAY = Days(TODAY - timedelta(days=1), TODAY - timedelta(days=1))


@pytest.fixture
def ledger(store: SqlStore) -> SqlLedgerReader:
    return SqlLedgerReader(store.engine)


def at(moment: Any, event: Event) -> Event:
    """Return the event with another time."""
    return event.model_copy(update={"occurred_at": moment})


def traffic(seed: int, count: int) -> list[Event]:
    """Return calls of few teams, keys, users and tags, some of them from yesterday."""
    source = random.Random(seed)
    return [
        at(
            NOW - timedelta(days=source.randint(0, 1)),
            answered(
                f"{seed}-{number}",
                team_id=source.choice(["search", "billing", None]),
                key_hash=source.choice("klm"),
                user_id=source.choice("uvw"),
                tags=tuple(source.sample("xyz", source.randint(0, 3))),
                completion_tokens=source.randint(0, 40),
                cost_nanos=source.randint(0, 10**12),
            ),
        )
        for number in range(count)
    ]


def test_a_second_batch_adds_to_the_rows_of_the_first(store: SqlStore, runtime: Runtime) -> None:
    """The names have characters that JSON, arrays and SQL escape."""
    folded = fold([answered("a"), answered("b", tags=('ü🙂"\\',))], slow_seconds=9, zone=runtime.zone, now=NOW)
    key = SpendKey(TODAY, "team", "search", "search")

    store.run(lambda tx: tx.ledger.add(folded.ledger, max_entities=10))
    assert ledger_days(store)[key] == SpendSums(requests=2, spend_nanos=27_000)
    store.run(lambda tx: tx.ledger.add(folded.ledger, max_entities=10))
    assert ledger_days(store)[key] == SpendSums(requests=4, spend_nanos=54_000)
    assert set(ledger_days(store)) == set(folded.ledger.spend())
    assert_ledger_agrees(store)


def test_concurrent_batches_in_any_order_give_the_same_ledger(
    store: SqlStore, runtime: Runtime, ledger: SqlLedgerReader
) -> None:
    """Four threads apply eight batches, each twice: each counts once, and no deadlock reaches the caller."""
    events = traffic(1, 400)
    batches = [batch(*events[start::8]) for start in range(8)] * 2
    random.Random(2).shuffle(batches)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda message: ingest(message, runtime, now=NOW), batches))

    whole = fold(events, slow_seconds=300, zone=runtime.zone, now=NOW).ledger
    assert ledger_days(store) == whole.spend()
    assert_ledger_agrees(store)
    assert {row[:3]: row[3:] for row in rows(store, OUTCOMES)} == {
        tuple(key): (sums.attempts, sums.calls) for key, sums in whole.outcomes.items()
    }
    assert {row[:4]: row[4:] for row in rows(store, LATENCIES)} == {
        tuple(key): (sums.count, sums.microseconds) for key, sums in whole.latencies.items()
    }
    both = Days(YESTERDAY.first, TODAY)
    assert ledger.total(both).spend_nanos == sum(event.cost_nanos for event in events)  # type: ignore[attr-defined]


def test_values_beyond_the_cap_are_other_and_totals_stay_exact(
    store: SqlStore, runtime: Runtime, ledger: SqlLedgerReader
) -> None:
    """The cap for users is three. A user with a row keeps it, and teams have no cap."""
    capped = replace(runtime, max_entities=3)
    for start in range(0, 10, 2):
        users = [answered(f"c{n}", user_id=f"u{n}", team_id=f"t{n}") for n in range(start, start + 2)]
        ingest(batch(*users, answered(f"d{start}", user_id="u0", team_id="t0")), capped, now=NOW)

    spent = {row.entity: row.sums.requests for row in ledger.totals("user", DAYS)}
    assert spent == {OTHER: 7, "u0": 6, "u1": 1, "u2": 1}
    assert len(ledger.totals("team", DAYS)) == 10
    assert {row.entity: row.sums.requests for row in ledger.totals("tag", DAYS)} == {"": 15}
    assert ledger.total(DAYS).spend_nanos == 15 * 13_500
    assert ledger.spent("user", "u0", DAYS).requests == 6
    assert {row.rows for row in rows(store, SPEND_SIZES) if row.dimension == "user"} == {10}


def test_rows_without_requests_are_counted_once(store: SqlStore) -> None:
    """Imported daily sums have spend without a request. Adding to one row must not fill the cap."""
    ledger = Postings()
    ledger.add_calls(TODAY, Attribution(team_id="t", user_id="u", tags=None), SpendSums(spend_nanos=5))
    for _ in range(3):
        store.run(lambda tx: tx.ledger.add(ledger, max_entities=9))

    assert_ledger_agrees(store)
    assert {row.rows for row in rows(store, SPEND_SIZES)} == {1}


def test_a_renamed_team_stays_one_and_has_its_newest_name(
    store: SqlStore, runtime: Runtime, ledger: SqlLedgerReader
) -> None:
    """Names are stored beside the sums, with the time they were seen. A late batch does not restore an old name."""
    names = [("Search", 0), ("Find", 60), ("Search", 30)]
    now = NOW + timedelta(hours=2)
    for alias, minutes in names:
        ingest(batch(at(NOW + timedelta(minutes=minutes), answered(alias, team_alias=alias))), runtime, now=now)

    (row,) = ledger.totals("team", DAYS)
    assert (row.entity, row.alias, row.sums.requests) == ("search", "Find", 3)


def test_a_name_that_comes_back_is_the_current_one_again(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """The team is renamed, and renamed back within minutes."""
    now = NOW + timedelta(hours=1)
    for alias, minutes in (("Search", 0), ("Find", 1), ("Search", 2)):
        ingest(batch(at(NOW + timedelta(minutes=minutes), answered(alias, team_alias=alias))), runtime, now=now)

    assert [row.alias for row in ledger.totals("team", DAYS)] == ["Search"]


def test_the_ledger_ranks_compares_and_limits(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """The highest spend is first, with the period before. Entities with spend only in that period are included."""
    yesterday = NOW - timedelta(days=1)
    ingest(
        batch(
            answered("a", tags=("x", "y"), cost_nanos=5),
            answered("b", tags=("y",), cost_nanos=7, team_id="billing"),
            at(yesterday, answered("c", tags=("z",), cost_nanos=11)),
            at(yesterday, answered("d", tags=("x",), cost_nanos=1, team_id=None)),
        ),
        runtime,
        now=NOW,
    )

    ranked = ledger.totals("tag", DAYS, before=YESTERDAY)
    assert [(row.entity, row.sums.spend_nanos, row.before.spend_nanos) for row in ranked] == [
        ("y", 12, 0),
        ("x", 5, 1),
        ("z", 0, 11),
    ]
    assert [row.entity for row in ledger.totals("tag", DAYS, limit=1)] == ["y"]
    assert [row.entity for row in ledger.totals("tag", DAYS, team_id="billing")] == ["y"]
    assert (ledger.total(DAYS).spend_nanos, ledger.total(YESTERDAY, team_id="").spend_nanos) == (12, 1)
    assert {day: sums.spend_nanos for day, sums in ledger.by_day(Days(YESTERDAY.first, TODAY)).items()} == {
        YESTERDAY.first: 12,
        TODAY: 12,
    }


def test_the_contributors_of_an_entity_are_the_same_for_pages_and_alerts(
    runtime: Runtime, ledger: SqlLedgerReader, store: SqlStore
) -> None:
    """A team's keys and models, a key's models, a user's models and keys, each with its name."""
    ingest(
        batch(
            answered("a", key_hash="k1", user_id="u", model_group="gpt", cost_nanos=3),
            answered("b", key_hash="k2", key_alias="batch job", user_id="u", model_group="opus", cost_nanos=9),
        ),
        runtime,
        now=NOW,
    )

    def names(dimension: str, entity: str) -> dict[str, list[tuple[str, str, int]]]:
        behind = ledger.top_contributors(dimension, entity, DAYS, limit=5)
        return {
            named: [(row.part or row.entity, row.alias, row.sums.spend_nanos) for row in found]
            for named, found in behind.items()
        }

    keys = [("k2", "batch job", 9), ("k1", "app", 3)]
    models = [("opus", "", 9), ("gpt", "", 3)]
    assert names("team", "search") == {"key": keys, "model": models}
    assert names("user", "u") == {"key": keys, "model": models}
    assert names("key", "k2") == {"model": models[:1]}
    assert names("tag", "x") == {}

    day = DAYS.first
    assert store.run(lambda tx: tx.user_totals.top_contributors("team", ["search"], day, day)) == {
        "key": [("batch job", 9), ("app", 3)],
        "model": [("opus", 9), ("gpt", 3)],
    }
    assert store.run(lambda tx: tx.user_totals.top_contributors("model", ["opus"], day, day)) == {
        "team": [("search", 9)],
        "key": [("batch job", 9)],
        "user": [("u", 9)],
    }


def test_the_ledger_has_the_results_of_deployments(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """Attempts are by outcome. The average is exact: 0.5 and 0.25 s per token are 0.375, never 0.75."""
    slow, fast = answered("a", seconds=5, completion_tokens=10), answered("b", seconds=2.5, completion_tokens=10)
    attempt = AttemptFailed(
        call_id="c",
        started_at=NOW,
        occurred_at=NOW,
        deployment_id="d1",
        failure=Failure(error_class="Timeout", origin=Origin.PROVIDER),
    )
    ingest(batch(slow, fast, attempt, attempt, failed("d")), runtime, now=NOW)

    (deployment,) = ledger.deployments(DAYS)
    assert deployment.attempts == {"succeeded": 2, "Timeout": 2, "APIError": 0}
    assert (deployment.failed, deployment.alias) == (2, "gpt-4o")
    assert deployment.per_token.mean == 0.375
    assert deployment.per_token.percentile(0.95) == pytest.approx(0.5, rel=0.05)
    assert deployment.first_token.count == 0
    assert ledger.deployments(Days(date(2020, 1, 1), date(2020, 1, 2))) == []


def test_a_deployment_has_a_title_with_its_provider_and_region(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """A model's deployments differ only in these, and an event without them hides neither.

    Budgets match the alias, which is the model alone.
    """
    good = answered("a").model_copy(update={"model": "gpt-4o", "provider": "openai", "region": "eastus"})
    placeless = answered("b", deployment_id="d2").model_copy(update={"model": "gpt-4o"})
    later = good.model_copy(update={"occurred_at": NOW + timedelta(seconds=1), "region": None})
    ingest(batch(good, placeless, later), runtime, now=NOW)
    assert [(one.alias, one.title) for one in ledger.deployments(DAYS)] == [
        ("gpt-4o", "openai/gpt-4o in eastus"),
        ("gpt-4o", "gpt-4o"),
    ]


def test_a_long_title_is_cut(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """Producers choose all parts of it, and each may be as long as the column."""
    place = {"model": "m" * 256, "provider": "p" * 256, "region": "r" * 256}
    ingest(batch(answered("a").model_copy(update=place)), runtime, now=NOW)
    (deployment,) = ledger.deployments(DAYS)
    assert len(deployment.title) == 256
    assert deployment.title.startswith("ppp")


def test_fallbacks_are_counted_by_day(store: SqlStore, runtime: Runtime) -> None:
    """The row has the requested and the used model, and the result. Batches add up."""
    via = {"fallbacks": 1, "original_model_group": "gpt-4o", "model_group": "claude"}
    for number in range(2):
        ingest(batch(answered(f"a{number}").model_copy(update=via)), runtime, now=NOW)
    ingest(batch(failed("b").model_copy(update=via)), runtime, now=NOW)

    assert [tuple(row) for row in rows(store, FALLBACKS)] == [(TODAY, "gpt-4o", "claude", 2, 1)]


def test_made_up_classes_of_errors_are_bounded_and_none_is_lost(runtime: Runtime, ledger: SqlLedgerReader) -> None:
    """A provider, or a caller, that invents a class for each failure gets 100 per deployment and day."""

    def attempt(error_class: str, deployment_id: str = "d1") -> AttemptFailed:
        failure = Failure(error_class=error_class, origin=Origin.PROVIDER)
        return AttemptFailed(call_id="c", started_at=NOW, occurred_at=NOW, deployment_id=deployment_id, failure=failure)

    ingest(batch(answered("a"), attempt("Timeout"), attempt("Timeout", "d2")), runtime, now=NOW)
    for start in range(0, 150, 50):
        made_up = [attempt(f"Error{number:03}") for number in range(start, start + 50)]
        ingest(batch(*made_up, attempt("Timeout"), attempt("Error000"), answered(f"b{start}")), runtime, now=NOW)

    first, second = ledger.deployments(DAYS)
    assert (first.failed, sum(first.attempts.values())) == (1 + 150 + 3 + 3, 4 + 157)
    assert len(first.attempts) == MAX_OUTCOMES + 1, "what is other beside all that there was room for"
    assert first.attempts["Timeout"] == first.attempts["Error000"] == 4
    assert (first.attempts["succeeded"], first.attempts[OTHER]) == (4, 52)
    assert second.attempts == {"Timeout": 1}


def test_made_up_models_that_a_fallback_saves_are_bounded(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is a fallback for every name, callers choose the requested name."""
    monkeypatch.setattr("alertworker.store.ledger.postings.MAX_FALLBACKS", 2)
    for number in range(4):
        via = {"fallbacks": 1, "original_model_group": f"made up {number}", "model_group": "claude"}
        ingest(batch(answered(f"a{number}").model_copy(update=via)), runtime, now=NOW)

    kept = {row.asked: row.succeeded for row in rows(store, FALLBACKS)}
    assert kept == {"made up 0": 1, "made up 1": 1, OTHER: 2}


def test_a_change_of_the_time_zone_is_logged_once(
    store: SqlStore, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """The change and its consequences are logged once, and shown on every later query."""
    for minute, name in enumerate(("UTC", "UTC", "Asia/Tokyo", "Asia/Tokyo")):
        at = NOW + timedelta(minutes=minute)
        sweep(replace(runtime, zone=ZoneInfo(name)), now=at)

    (said,) = [record.message for record in caplog.records if record.name == "alertworker.pipeline.time_zone"]
    assert said.startswith("time_zone changed from UTC to Asia/Tokyo at 2026-11-23 23:04:11 JST")
    assert AdminStore(store.engine).ledger_zone() == (
        "Asia/Tokyo",
        ZoneChange("UTC", "Asia/Tokyo", NOW + timedelta(minutes=2)),
    )
