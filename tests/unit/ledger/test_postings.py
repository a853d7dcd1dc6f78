"""The ledger's arithmetic: additive for every cut into batches, exact to the nano-dollar, percentiles within 10 %."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import AttemptFailed, EndEvent, Event, Failure, Origin, RequestFailed, RequestSucceeded
from alertworker.events.base import MAX_COST
from alertworker.folding import fold
from alertworker.ledger.cardinality import OTHER, capped
from alertworker.ledger.histogram import BOUNDS, Latency, bucket_of
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import FallbackKey, FallbackSums, LatencySums, OutcomeKey, SpendKey, SpendSums

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
DAY = date(2026, 11, 23)
NAMES = st.sampled_from(["", "a", "b", "ü"])
FAILURE = Failure(error_class="Timeout", origin=Origin.PROVIDER)


@st.composite
def calls(draw: st.DrawFn) -> Event:
    """Return any call, on one of three days."""
    ended = NOW - timedelta(hours=draw(st.integers(0, 60)))
    facts = {
        "call_id": "c",
        "started_at": ended - timedelta(milliseconds=draw(st.integers(0, 10_000))),
        "occurred_at": ended,
        "team_id": draw(NAMES) or None,
        "key_hash": draw(NAMES) or None,
        "user_id": draw(NAMES) or None,
        "model_group": draw(NAMES) or None,
        "deployment_id": draw(NAMES) or None,
    }
    if draw(st.booleans()) and facts["deployment_id"]:
        return AttemptFailed.model_validate({**facts, "failure": FAILURE})
    facts |= {
        "ended_at": ended,
        "tags": draw(st.lists(NAMES.filter(bool), max_size=3)),
        "cost_nanos": draw(st.none() | st.integers(0, MAX_COST)),
        "completion_tokens": draw(st.integers(0, 50)),
        "team_alias": draw(NAMES) or None,
    }
    if draw(st.booleans()):
        return RequestFailed.model_validate({**facts, "failure": FAILURE})
    return RequestSucceeded.model_validate({**facts, "cache_hit": draw(st.booleans())})


def ledger_of(events: list[Event]) -> Postings:
    """Fold events."""
    return fold(events, slow_seconds=300, zone=ZoneInfo("Asia/Kolkata"), now=NOW).ledger


def merged(ledgers: list[Postings]) -> tuple[object, ...]:
    """Add ledgers up as the store does."""
    spend: dict[SpendKey, SpendSums] = {}
    outcomes: dict[OutcomeKey, list[int]] = {}
    latencies: dict[object, list[int]] = {}
    for ledger in ledgers:
        for key, sums in ledger.spend().items():
            spend.setdefault(key, SpendSums()).add(sums)
        for outcome, ends in ledger.outcomes.items():
            row = outcomes.setdefault(outcome, [0, 0])
            row[:] = [row[0] + ends.attempts, row[1] + ends.calls]
        for place, durations in ledger.latencies.items():
            row = latencies.setdefault(place, [0, 0])
            row[:] = [row[0] + durations.count, row[1] + durations.microseconds]
    return spend, outcomes, latencies


@given(st.lists(st.tuples(calls(), st.integers(0, 3)), max_size=30))
def test_any_cutting_of_the_same_calls_adds_up_to_the_same(cut: list[tuple[Event, int]]) -> None:
    """Four batches in any order add up to one batch."""
    batches = [ledger_of([call for call, part in cut if part == number]) for number in range(4)]

    assert merged(list(reversed(batches))) == merged([ledger_of([call for call, _ in cut])])


@given(st.lists(calls(), max_size=30))
def test_a_total_counts_a_request_once_however_many_tags_it_has(events: list[Event]) -> None:
    """The dimension "team" holds each request exactly once; all that was spent is in it."""
    teams = [sums for key, sums in ledger_of(events).spend().items() if key.dimension == "team"]
    ended = [event for event in events if isinstance(event, RequestSucceeded | RequestFailed)]

    assert sum(sums.requests for sums in teams) == len(ended)
    assert sum(sums.spend_nanos for sums in teams) == sum(event.cost_nanos or 0 for event in ended)


@given(st.lists(calls(), max_size=30))
def test_spend_without_a_tag_has_a_name(events: list[Event]) -> None:
    """Every call without one is under "", exactly once."""
    untagged = [event for event in events if isinstance(event, EndEvent) and not event.tags]
    found = [sums for key, sums in ledger_of(events).spend().items() if (key.dimension, key.entity) == ("tag", "")]

    assert sum(sums.requests for sums in found) == len(untagged)
    assert sum(sums.spend_nanos for sums in found) == sum(event.cost_nanos or 0 for event in untagged)


@given(st.lists(calls(), max_size=30), st.integers(0, 5))
def test_a_cap_moves_sums_and_loses_none(events: list[Event], room: int) -> None:
    """The remainder of a dimension is under "(other)" of its team, to the nano-dollar."""
    spend = ledger_of(events).spend()
    known = [key for key in spend if key.entity == "a"]
    rows = capped(
        spend,
        known=known,
        room={(key.day, "user"): room for key in spend},
        place=lambda key: (key.day, key.dimension),
        other=lambda key: SpendKey(key.day, key.dimension, key.team_id, OTHER),
    )

    for dimension in ("user", "key", "team"):
        before = [sums for key, sums in spend.items() if key.dimension == dimension]
        after = [sums for key, sums in rows.items() if key.dimension == dimension]
        assert sum(sums.spend_nanos for sums in before) == sum(sums.spend_nanos for sums in after)
        assert sum(sums.requests for sums in before) == sum(sums.requests for sums in after)
    fresh = [key for key in rows if key.dimension == "user" and key.entity not in (OTHER, "a")]
    assert all(len([key for key in fresh if key.day == day]) <= room for day in {key.day for key in fresh})


@given(st.lists(st.integers(1, 60_000_000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_within_a_tenth_and_a_mean_is_exact(durations: list[int], share: float) -> None:
    """Buckets are a tenth wide and have an exact mean. Their bounds are whole microseconds."""
    latency = latency_of(durations)
    wanted = share * len(durations)
    exact = next(value for rank, value in enumerate(sorted(durations), 1) if rank >= wanted)

    assert latency.mean == sum(durations) / len(durations) / 1e6
    assert abs(latency.percentile(share) - exact / 1e6) <= max(0.101 * exact, 2) / 1e6


@given(st.integers(0, 10**13), st.integers(1, 40), st.floats(0.01, 1))
def test_no_percentile_of_equal_durations_is_below_their_mean(duration: int, count: int, share: float) -> None:
    """A report shows both side by side. This includes durations beyond the last bound."""
    latency = latency_of([duration] * count)

    assert latency.percentile(share) == latency.longest == latency.mean == duration / 1e6


def latency_of(durations: list[int]) -> Latency:
    """Return durations in microseconds as the ledger adds them up."""
    buckets: dict[int, LatencySums] = {}
    for duration in durations:
        sums = buckets.setdefault(bucket_of(duration), LatencySums())
        sums.count += 1
        sums.microseconds += duration
    return Latency(buckets)


def test_a_duration_above_all_bounds_is_in_the_last_bucket() -> None:
    """A duration of days has a bucket, and its mean stays exact."""
    assert bucket_of(10**13) == len(BOUNDS) - 1
    assert bucket_of(0) == 0
    assert list(BOUNDS) == sorted(set(BOUNDS))


def test_a_day_is_cut_in_the_zone_and_a_late_call_goes_to_its_own() -> None:
    """22:00 UTC is tomorrow in Kolkata; what comes a week late is entered a week ago."""
    late = datetime(2026, 11, 16, 22, 0, tzinfo=UTC)
    call = RequestSucceeded(call_id="c", started_at=late, ended_at=late, occurred_at=late)

    assert {key.day for key in ledger_of([call]).spend()} == {date(2026, 11, 17)}


def test_a_long_second_half_of_a_pair_is_cut_and_stays_distinct() -> None:
    """PostgreSQL indexes keys of 2,704 bytes at most, and three names of 256 characters could be longer."""
    calls: list[Event] = [
        RequestSucceeded(
            call_id=end, started_at=NOW, ended_at=NOW, occurred_at=NOW, key_hash="k", model="m" * 255 + end
        )
        for end in "ab"
    ]
    parts = [key.part for key in ledger_of(calls).spend() if key.dimension == "key/model"]

    assert [part[:108] for part in parts] == ["m" * 107 + "…"] * 2
    assert [len(part) for part in parts] == [120, 120]
    assert parts[0] != parts[1]


def test_a_fallback_is_counted_under_the_requested_model() -> None:
    """Once a call, by how it ended; a call that came back to its own group took none."""
    facts = {"call_id": "c", "started_at": NOW, "ended_at": NOW, "occurred_at": NOW, "fallbacks": 2}
    via = facts | {"original_model_group": "gpt-4o", "model_group": "claude"}
    ledger = ledger_of(
        [
            RequestSucceeded.model_validate(via),
            RequestSucceeded.model_validate(via),
            RequestFailed.model_validate(via | {"failure": FAILURE}),
            RequestSucceeded.model_validate(via | {"model_group": "gpt-4o"}),
            RequestSucceeded.model_validate(via | {"fallbacks": 0}),
        ]
    )
    assert ledger.fallbacks == {FallbackKey(DAY, "gpt-4o", "claude"): FallbackSums(succeeded=2, failed=1)}
