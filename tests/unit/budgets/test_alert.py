"""Readings of one budget put together, and the limits they reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.budgets.alert import fingerprint, highest, judge
from alertworker.budgets.readings import BudgetKey, Reading, read, read_report
from alertworker.budgets.state import STALE, BudgetState, advance, merge, reached
from alertworker.events import (
    Attribution,
    Budget,
    BudgetReported,
    BudgetScope,
    Failure,
    Origin,
    RequestFailed,
    RequestSucceeded,
)

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
RESET = datetime(2026, 12, 1, tzinfo=UTC)
DOLLAR = 1_000_000_000
TEAM = BudgetKey(BudgetScope.TEAM, "t1")
KEY = BudgetKey(BudgetScope.KEY, "app")
ZONE = ZoneInfo("UTC")


def reading(spend: float, limit: float | None = 100, *, at: datetime = NOW, **more: Any) -> Reading:
    """Make a reading in dollars of a budget that resets on the first of December."""
    more = {"reset_at": RESET, **more}
    soft = more.pop("soft", None)
    return Reading(
        at=at,
        limits_at=at,
        spent_at=at,
        high_at=at,
        spend_nanos=round(spend * DOLLAR),
        max_nanos=None if limit is None else round(limit * DOLLAR),
        soft_nanos=None if soft is None else round(soft * DOLLAR),
        **more,
    )


def headlines(readings: list[Reading], key: BudgetKey = TEAM, now: datetime = NOW) -> list[str]:
    """Judge readings one after the other. Return the headlines, and "over" where something was over."""
    notified, state = [], None
    for new in readings:
        judgement = judge(key, state, advance(state, new), now=now, zone=ZONE)
        state = judgement.state
        notified += ["over"] if judgement.over else []
        notified += [judgement.alert.headline] if judgement.alert else []
    return notified


@pytest.mark.parametrize(
    ("spend", "limit", "soft", "event", "share"),
    [
        (84.99, 100, None, None, None),
        (85, 100, None, BudgetEvent.THRESHOLD_CROSSED, 85),
        (94.999, 100, None, BudgetEvent.THRESHOLD_CROSSED, 85),
        (95, 100, None, BudgetEvent.THRESHOLD_CROSSED, 95),
        (100, 100, None, BudgetEvent.BUDGET_CROSSED, 100),
        (250, 100, 50, BudgetEvent.BUDGET_CROSSED, 100),
        (60, 100, 60, BudgetEvent.SOFT_BUDGET_CROSSED, None),
        (86, 100, 60, BudgetEvent.THRESHOLD_CROSSED, 85),
        (91, 100, 90, BudgetEvent.SOFT_BUDGET_CROSSED, None),
        (100, 100, 100, BudgetEvent.BUDGET_CROSSED, 100),
        (150, 100, 120, BudgetEvent.BUDGET_CROSSED, 100),
        (7, None, 5, BudgetEvent.SOFT_BUDGET_CROSSED, None),
        (7, None, None, None, None),
        (0, 0, None, BudgetEvent.BUDGET_CROSSED, 100),
        (0, 100, None, None, None),
        (0.01, 0, None, BudgetEvent.BUDGET_CROSSED, 100),
    ],
)
def test_the_highest_limit_that_the_spend_has_reached_is_notified(
    spend: float, limit: float | None, soft: float | None, event: BudgetEvent | None, share: int | None
) -> None:
    """Soft budgets and shares stand in one row, by their amounts."""
    found = reached(reading(spend, limit, soft=soft))

    assert (found and found.event, found and found.share) == (event, share)


def test_fifteen_and_five_per_cent_left_are_both_notified_and_a_jump_is_notified_once() -> None:
    """Each limit once, the highest of those that one call jumped over."""
    assert headlines([reading(85), reading(86), reading(85), reading(96), reading(101), reading(102)]) == [
        "Team t1: 85 % of budget",
        "Team t1: 95 % of budget",
        "Team t1: budget of $100 used up",
    ]
    assert headlines([reading(10), reading(120)]) == ["Team t1: budget of $100 used up"]


def test_old_and_alternating_figures_of_several_processes_notify_nothing_twice() -> None:
    """Within a period the highest spend and the highest limit count; an earlier period changes nothing."""
    old = reading(99, reset_at=RESET - timedelta(days=30))
    fresh, stale = reading(90), reading(20)

    assert headlines([fresh, stale, old, fresh, stale, fresh, old]) == ["Team t1: 85 % of budget"]
    assert headlines([reading(90, 200), reading(90, 100), reading(90, 200), reading(90, 100)]) == []


def test_a_later_period_begins_anew_and_resolves_the_alert() -> None:
    """The alert of the old period is over; the same limit is notified again in the new one."""
    later = RESET + timedelta(days=30)

    assert headlines([reading(90), reading(1, reset_at=later), reading(90), reading(86, reset_at=later)]) == [
        "Team t1: 85 % of budget",
        "over",
        "Team t1: 85 % of budget",
    ]


def test_a_period_that_was_cut_short_counts_once_the_later_end_is_reported_no_more() -> None:
    """The notified alert is then over. Until then the earlier end may be an old copy."""
    soon, later = NOW + STALE / 2, NOW + STALE * 2
    day: dict[str, Any] = {"reset_at": NOW + timedelta(days=1)}

    assert headlines([reading(90), reading(99, at=soon, **day), reading(91, at=soon)]) == ["Team t1: 85 % of budget"]
    assert headlines([reading(90), reading(2, at=later, **day), reading(99, at=later, **day)]) == [
        "Team t1: 85 % of budget",
        "over",
        "Team t1: 95 % of budget",
    ]
    assert headlines([reading(10), reading(50, at=later), reading(99, at=later + STALE / 2, **day)]) == []


def test_a_period_that_has_ended_or_was_forgotten_is_none_that_was_cut_short() -> None:
    """However long the later one was not reported."""
    later = BudgetState(reading(10, at=NOW, reset_at=RESET + timedelta(days=30)))
    late = reading(99, at=RESET + timedelta(minutes=1))
    undated = reading(99, at=NOW + timedelta(days=3), reset_at=None)
    backlog = reading(99, at=NOW - timedelta(days=3))

    assert [advance(later, one).reading.spend_nanos for one in (late, undated, backlog)] == [10 * DOLLAR] * 3


@given(
    st.lists(st.tuples(st.integers(0, 130), st.sampled_from([-3, 1, 2]), st.integers(0, 290)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_within_five_minutes_the_later_period_counts_in_any_order(
    made: list[tuple[int, int, int]], random: Any
) -> None:
    """Old copies of a period in processes change nothing, in every order and in every cut into batches."""
    readings = [
        reading(spend, reset_at=NOW + timedelta(days=days), at=NOW + timedelta(seconds=seconds))
        for spend, days, seconds in made
    ]
    state = None
    for one in random.sample(readings, len(readings)):
        state = advance(state, one)

    assert state is not None
    assert state.reading.reset_at == max(one.reset_at for one in readings if one.reset_at)
    assert state.reading.spend_nanos == reduce(merge, readings).spend_nanos


def test_a_raised_budget_arms_again() -> None:
    """The alert of the old limit is over. The new limit is notified when it is reached."""
    assert headlines([reading(100), reading(100, 200), reading(171, 200)]) == [
        "Team t1: budget of $100 used up",
        "over",
        "Team t1: 85 % of budget",
    ]


def test_a_lowered_budget_counts_once_the_old_one_is_reported_no_more() -> None:
    """For a while it may be another process's old copy."""
    soon, later = NOW + STALE / 2, NOW + STALE * 2

    assert headlines([reading(60), reading(60, 50, at=soon)]) == []
    assert headlines([reading(60), reading(60, 50, at=soon), reading(60, 50, at=later)]) == [
        "Team t1: budget of $50 used up"
    ]
    assert headlines([reading(60), reading(60, at=later), reading(60, 50, at=later + STALE / 2)]) == []


def test_a_period_that_has_ended_raises_no_alert() -> None:
    """A backlog from before the reset sends no message."""
    assert headlines([reading(100)], now=RESET) == []


def test_a_budget_that_lost_its_periods_is_judged_again() -> None:
    """Its last period ended long ago, and figures name no other."""
    closed = BudgetState(reading(90), notified_nanos=85 * DOLLAR, level=1, closed=True)
    soon = reading(99, at=RESET + timedelta(minutes=5), reset_at=None)
    later = reading(99, at=RESET + timedelta(hours=2), reset_at=None)

    assert advance(closed, soon).closed
    assert advance(closed, later) == BudgetState(later)


def test_a_spend_that_was_set_back_begins_anew_once_the_old_one_is_reported_no_more() -> None:
    """This holds for budgets with an unknown reset, too, as LiteLLM's webhook reports them."""
    soon, later = NOW + timedelta(minutes=50), NOW + timedelta(minutes=61)

    for reset_at in (None, RESET):
        assert headlines(
            [
                reading(90, reset_at=reset_at),
                reading(3, at=soon, reset_at=reset_at),
                reading(4, at=later, reset_at=reset_at),
                reading(86, at=later, reset_at=reset_at),
            ]
        ) == ["Team t1: 85 % of budget", "over", "Team t1: 85 % of budget"]
        rounded = reading(89.999, at=later, reset_at=reset_at)
        assert headlines([reading(90, reset_at=reset_at), rounded]) == ["Team t1: 85 % of budget"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 120),
            st.sampled_from([100, 110, None]),
            st.sampled_from([50, None]),
            st.sampled_from([None, RESET, RESET + timedelta(days=1)]),
            st.integers(0, 200),
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_and_the_cutting_of_readings_change_nothing(
    made: list[tuple[int, int | None, int | None, datetime | None, int]], random: Any
) -> None:
    """Any order and any grouping give the same figures and the same highest limit."""
    readings = [
        reading(spend, limit, soft=soft, reset_at=reset_at, at=NOW + timedelta(seconds=seconds))
        for spend, limit, soft, reset_at, seconds in made
    ]
    expected = reduce(merge, readings)
    shuffled = random.sample(readings, len(readings))
    cut = random.randint(0, len(shuffled))
    parts = [reduce(merge, part) for part in (shuffled[:cut], shuffled[cut:]) if part]
    found = reduce(merge, parts)

    def figures(one: Reading) -> tuple[object, ...]:
        return one.reset_at, one.spend_nanos, one.max_nanos, one.soft_nanos, one.at, one.spent_at, one.high_at

    assert figures(found) == figures(expected)
    assert reached(found) == reached(expected)


@given(st.lists(st.tuples(st.integers(0, 130), st.sampled_from([100, None])), min_size=1, max_size=12))
def test_no_limit_is_notified_twice_in_a_period_in_any_order(made: list[tuple[int, int | None]]) -> None:
    """The last notified limit is the highest that was reached."""
    notified = headlines([reading(spend, limit) for spend, limit in made])

    assert len(notified) == len(set(notified)) <= 3
    assert "over" not in notified


def test_a_projected_soft_budget_is_notified_for_keys_and_never_early() -> None:
    """A tenth of the period must have passed; the crossing itself is still notified afterwards."""
    half = RESET - timedelta(days=15)
    paced = reading(60, None, soft=100, duration="30d", at=half)
    early = reading(60, None, soft=100, duration="30d", at=RESET - timedelta(days=28))
    calm = reading(49, None, soft=100, duration="30d", at=half)

    assert headlines([paced, paced, reading(101, None, soft=100, at=half)], KEY, now=half) == [
        "Key app: soft budget of $100 will be crossed at this pace",
        "Key app: soft budget of $100 crossed",
    ]
    notified = judge(KEY, None, advance(None, paced), now=half, zone=ZONE).alert
    assert notified is not None
    assert notified.facts["Pace"] == "$4 a day → $120 at the reset; $100 reached on 2026-11-26"
    assert [highest(KEY, one) for one in (early, calm)] == [None, None]
    assert highest(TEAM, paced) is None


def test_a_rise_is_the_same_alert_on_a_higher_level_with_all_figures() -> None:
    """The figures are owner, spend, share, reset, pace and whether requests pass."""
    half = RESET - timedelta(days=15)
    first = judge(TEAM, None, advance(None, reading(86, at=half, duration="30d")), now=half, zone=ZONE)
    second = judge(TEAM, first.state, advance(first.state, reading(97, at=half)), now=half, zone=ZONE)
    late = half + timedelta(minutes=3)
    aged = judge(TEAM, None, advance(None, reading(100, at=half)), now=late, zone=ZONE)

    assert first.alert is not None
    assert second.alert is not None
    assert first.alert.fingerprint == second.alert.fingerprint == fingerprint(TEAM, second.state)
    assert (first.alert.level, second.alert.level) == (1, 2)
    assert first.alert.facts == {
        "Spend": "$86 of $100 (86.0 %)",
        "Resets": "2026-12-01 00:00:00 UTC",
        "Pace": "$5.73 a day → $172 at the reset; $100 reached on 2026-11-18",
        "Requests": "pass until $100",
    }
    assert aged.alert is not None
    assert aged.alert.facts["Figure"] == "as the proxy reported it at 2026-11-16 00:00:00 UTC"


def test_programs_get_a_keys_projection_and_the_budgets_owner() -> None:
    """In nano-dollars; only keys with a soft budget are projected, as LiteLLM has it."""
    half = RESET - timedelta(days=15)
    paced = reading(60, None, soft=100, at=half, duration="30d", owner=Attribution(key_hash="hash-1", team_id="t1"))
    key = judge(KEY, None, advance(None, paced), now=half, zone=ZONE).alert
    team = judge(TEAM, None, advance(None, reading(86, at=half, duration="30d")), now=half, zone=ZONE).alert

    assert key is not None
    assert key.figures is not None
    assert (key.figures.event, key.figures.scope) == (BudgetEvent.PROJECTED_LIMIT_EXCEEDED, BudgetScope.KEY)
    assert (key.figures.spend_nanos, key.figures.projected_nanos) == (60 * DOLLAR, 120 * DOLLAR)
    assert key.figures.projected_exceeded_on == datetime(2026, 11, 26, tzinfo=UTC).date()
    assert (key.figures.key_hash, key.figures.team_id, key.figures.user_id) == ("hash-1", "t1", None)
    assert team is not None
    assert team.figures is not None
    assert (team.figures.event, team.figures.crossed) == (BudgetEvent.THRESHOLD_CROSSED, 85)
    assert (team.figures.projected_nanos, team.figures.projected_exceeded_on) == (None, None)


def call(*budgets: Budget, refused: bool = False, **more: Any) -> RequestSucceeded | RequestFailed:
    """Make a call that cost a dollar, or was refused for a budget."""
    facts = {"call_id": "c", "started_at": NOW, "ended_at": NOW, "occurred_at": NOW, "budgets": budgets, **more}
    if refused:
        failure = Failure(error_class="BudgetExceededError", status_code=400, origin=Origin.PROXY)
        return RequestFailed(failure=failure, **facts)
    return RequestSucceeded(cost_nanos=DOLLAR, **facts)


def test_a_calls_own_cost_is_added_and_a_rotated_key_keeps_its_budget() -> None:
    """LiteLLM's figure is from before the call; the alias stays when the key's hash changes."""
    found: dict[BudgetKey, Reading] = {}
    for key_hash in ("hash-1", "hash-2"):
        budget = Budget(scope=BudgetScope.KEY, entity_id=key_hash, spend_nanos=84 * DOLLAR, max_nanos=100 * DOLLAR)
        found |= dict(read(call(budget, key_hash=key_hash, key_alias="app", team_alias="search")))

    assert list(found) == [KEY]
    assert found[KEY].spend_nanos == 85 * DOLLAR
    assert found[KEY].owner.team_alias == "search"


def reported(event: str, **more: Any) -> list[tuple[BudgetKey, Reading]]:
    """Read what LiteLLM's webhook said."""
    more = {"spend_nanos": 86 * DOLLAR, "max_nanos": 100 * DOLLAR, **more}
    return list(
        read_report(BudgetReported(event=event, scope=BudgetScope.KEY, entity_id="hash-1", occurred_at=NOW, **more))
    )


def test_readings_from_litellms_webhook_have_the_same_limits() -> None:
    """Under the same name as what calls report; the soft budget that it sends as a maximum is none."""
    ((key, found),) = reported("threshold_crossed", key_alias="app")
    ((_, projected),) = reported("projected_limit_exceeded")

    assert key == KEY
    assert headlines([found], key) == ["Key app: 85 % of budget"]
    assert (projected.max_nanos, projected.soft_nanos) == (None, 100 * DOLLAR)
    assert reported("spend_tracked") == reported("key_created") == reported("budget_crossed", spend_nanos=None) == []


def test_the_age_of_a_figure_is_that_of_the_calls_start() -> None:
    """A call of two hours reports what the proxy knew two hours ago."""
    budget = Budget(scope=BudgetScope.TEAM, entity_id="t1", spend_nanos=0, max_nanos=100 * DOLLAR)
    long = call(budget).model_copy(update={"started_at": NOW - timedelta(hours=2)})
    ahead = call(budget).model_copy(update={"started_at": NOW + timedelta(hours=2)})

    assert [one.at for event in (long, ahead) for _, one in read(event)] == [NOW - timedelta(hours=2), NOW]


def test_a_refused_call_is_evidence_that_the_budget_is_used_up() -> None:
    """Also where this process's copy of the figure is old, if there is one budget it can have been."""
    budget = Budget(scope=BudgetScope.TEAM, entity_id="t1", spend_nanos=20 * DOLLAR, max_nanos=100 * DOLLAR)
    other = Budget(scope=BudgetScope.USER, entity_id="u1", spend_nanos=20 * DOLLAR, max_nanos=100 * DOLLAR)
    ((_, alone),) = read(call(budget, refused=True))
    both = dict(read(call(budget, other, refused=True)))

    assert (alone.spend_nanos, alone.rejected_at) == (100 * DOLLAR, NOW)
    assert [one.rejected_at for one in both.values()] == [None, None]
