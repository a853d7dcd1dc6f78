"""Users' days and months against LiteLLM's thresholds, and days unlike the ones before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.user_thresholds import UserCheck, UserPolicy, UserSpend, explained, is_anomaly, judge_users
from alertworker.settings import Settings
from alertworker.settings.values import AlertingArgs

DOLLAR = 1_000_000_000
DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
LOOK = UserCheck(DAY, NOW, NOW - timedelta(hours=1), ZoneInfo("Europe/Berlin"))


def user(day: float, month: float = 0, before: float = 0) -> UserSpend:
    """Make a user who spent so many dollars."""
    return UserSpend("u1", "ann@example.com", round(day * DOLLAR), round(month * DOLLAR), round(before * DOLLAR))


@pytest.mark.parametrize(
    ("day", "before", "unusual"),
    [(10, 0, True), (9.99, 0, False), (30, 70, False), (30.01, 70, True), (12, 28, False), (300, 700, False)],
)
def test_a_day_is_unlike_the_others_by_ratio_and_not_below_the_floor(day: float, before: float, unusual: bool) -> None:
    """LiteLLM's rule: ten dollars or more, and more than three times the mean of seven days or no spend before."""
    assert is_anomaly(user(day, before=before), UserPolicy(anomalies=True)) is unusual


def test_thresholds_are_notified_for_the_day_and_the_month() -> None:
    """Each has its own identity and the amounts. A threshold that is off raises nothing."""
    policy = UserPolicy(daily_nanos=50 * DOLLAR, monthly_nanos=500 * DOLLAR)
    alerts = list(judge_users([user(50, 600), user(49.99, 499)], policy, LOOK))

    assert [(alert.type, alert.identity["period"], alert.headline) for alert in alerts] == [
        (AlertType.USER_SPEND_THRESHOLDS, "2026-11-23", "User ann@example.com: $50 in one day, over $50"),
        (AlertType.USER_SPEND_THRESHOLDS, "2026-11", "User ann@example.com: $600 in one month, over $500"),
    ]
    assert list(judge_users([user(1_000, 1_000)], UserPolicy(), LOOK)) == []


def test_an_anomaly_explains_itself() -> None:
    """Today, the usual, the amount from which it is notified, and the models and keys behind it."""
    (alert,) = judge_users([user(41, before=70)], UserPolicy(anomalies=True), LOOK)
    behind = {"model": [("gpt-4o", 40 * DOLLAR), ("o3", DOLLAR)], "key": []}

    assert alert.headline == "User ann@example.com: $41 in one day, 4.1 times the usual"
    assert explained(alert, behind) == {
        "Spend": "$41",
        "User": "ann@example.com (u1)",
        "Usual": "$10 a day, the mean of the 7 days before",
        "Threshold": "3 times the usual, and $10",
        "Day": "2026-11-23",
        "Since": "between 2026-11-23 14:02:11 CET and 2026-11-23 15:02:11 CET",
        "Top models": "gpt-4o $40, o3 $1",
    }


def test_the_settings_are_litellms_and_a_type_that_is_off_is_not_looked_for() -> None:
    """Thresholds do nothing until they are set; anomalies nothing until their type is on."""
    assert Settings().users() == UserPolicy()
    assert Settings().users().least_nanos is None
    args = AlertingArgs(daily_spend_per_user_threshold=20, spend_anomaly_min_spend=5)
    both = frozenset({AlertType.USER_SPEND_THRESHOLDS, AlertType.USER_SPEND_ANOMALIES})

    assert Settings(alerting_args=args, alert_types=both).users().least_nanos == 5 * DOLLAR
    assert Settings(alerting_args=args, alert_types=frozenset()).users().least_nanos is None


@pytest.mark.parametrize(
    ("day", "before", "since"),
    [
        (DAY, None, ("2026-11-23 00:00:00 CET", "2026-11-23 15:02:11 CET")),
        (DAY, NOW - timedelta(days=1), ("2026-11-23 00:00:00 CET", "2026-11-23 15:02:11 CET")),
        (DAY - timedelta(days=1), NOW - timedelta(days=1), ("2026-11-22 15:02:11 CET", "2026-11-23 00:00:00 CET")),
    ],
)
def test_since_when_is_between_two_looks_and_within_the_day(
    day: date, before: datetime | None, since: tuple[str, str]
) -> None:
    """The first look of a day knows only that it was since midnight; the one at the day before, that it was in it."""
    assert UserCheck(day, NOW, before, ZoneInfo("Europe/Berlin")).since == f"between {since[0]} and {since[1]}"
