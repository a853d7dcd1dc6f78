"""The spend of single users per day or month: LiteLLM's thresholds, and days that differ from those before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.money import spell_dollars
from alertworker.text.format import spell_moment
from alertworker.text.names import short_id, with_id


@dataclass(frozen=True, slots=True)
class UserPolicy:
    """LiteLLM's ``alerting_args`` about users. Amounts are in nano-dollars, and ``None`` is off.

    A day is an anomaly from ``anomaly_floor_nanos`` on, if it is more than ``anomaly_ratio`` times the mean of the
    ``anomaly_days`` before it.
    """

    daily_nanos: int | None = None
    monthly_nanos: int | None = None
    anomalies: bool = False
    anomaly_ratio: float = 3.0
    anomaly_days: int = 7
    anomaly_floor_nanos: int = 10_000_000_000
    every: timedelta = timedelta(hours=1)

    @property
    def least_nanos(self) -> int | None:
        """The lowest spend of a day or month that can raise an alert; ``None`` if all alerts of users are off."""
        floor = self.anomaly_floor_nanos if self.anomalies else None
        return min((one for one in (self.daily_nanos, self.monthly_nanos, floor) if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class UserSpend:
    """A user's spend on a day, in its month until then, and in the ``anomaly_days`` before it, in nano-dollars."""

    user_id: str
    alias: str
    day_nanos: int
    month_nanos: int
    before_nanos: int

    @property
    def name(self) -> str:
        """Return the user's name for people."""
        return self.alias or short_id(self.user_id)


@dataclass(frozen=True, slots=True)
class UserCheck:
    """One check of a day's users.

    ``before`` is the time of the previous check. Nothing that people are notified of now was true then.
    """

    day: date
    now: datetime
    before: datetime | None
    zone: ZoneInfo

    @property
    def month(self) -> str:
        """The month of the day, as alerts have it: "2026-11"."""
        return f"{self.day:%Y-%m}"

    @property
    def since(self) -> str:
        """Return the times between which an amount was reached. The ledger keeps no single request.

        >>> utc = ZoneInfo("UTC")
        >>> UserCheck(date(2026, 11, 23), datetime(2026, 11, 23, 14, 2, tzinfo=utc), None, utc).since
        'between 2026-11-23 00:00:00 UTC and 2026-11-23 14:02:00 UTC'
        """
        midnight = datetime.combine(self.day, time(), self.zone)
        end = datetime.combine(self.day + timedelta(days=1), time(), self.zone)
        moments = (max(midnight, self.before or midnight), min(end, self.now))
        first, last = (spell_moment(moment, self.zone) for moment in moments)
        return f"between {first} and {last}"


#: The top contributors to an entity's spend, by dimension: names with nano-dollars.
Contributors = Mapping[str, Sequence[tuple[str, int]]]


def judge_users(users: Iterable[UserSpend], policy: UserPolicy, check: UserCheck) -> Iterable[Alert]:
    """Yield the alerts of a day: at most one for each user, type and day or month."""
    for user in users:
        if policy.daily_nanos is not None and user.day_nanos >= policy.daily_nanos:
            yield _threshold(user, "day", check.day.isoformat(), (user.day_nanos, policy.daily_nanos), check)
        if policy.monthly_nanos is not None and user.month_nanos >= policy.monthly_nanos:
            yield _threshold(user, "month", check.month, (user.month_nanos, policy.monthly_nanos), check)
        if policy.anomalies and is_anomaly(user, policy):
            yield _anomaly(user, policy, check)


def is_anomaly(user: UserSpend, policy: UserPolicy) -> bool:
    """Return whether a day's spend exceeds the mean of the days before by the ratio, and reaches the floor."""
    unusual = user.day_nanos * policy.anomaly_days > policy.anomaly_ratio * user.before_nanos
    return user.day_nanos >= policy.anomaly_floor_nanos and unusual


def explained(alert: Alert, contributors: Contributors) -> dict[str, str]:
    """Return the alert's facts with the models and keys that spent the most."""
    named = {
        f"Top {dimension}s": ", ".join(f"{short_id(name)} {spell_dollars(nanos)}" for name, nanos in spent)
        for dimension, spent in contributors.items()
        if spent
    }
    return {**alert.facts, **named}


def _threshold(user: UserSpend, unit: str, period: str, amounts: tuple[int, int], check: UserCheck) -> Alert:
    spent, limit = amounts
    return Alert(
        type=AlertType.USER_SPEND_THRESHOLDS,
        severity=Severity.HIGH,
        identity={"user": user.user_id, "period": period},
        headline=f"User {user.name}: {spell_dollars(spent)} in one {unit}, over {spell_dollars(limit)}",
        first_at=check.now,
        last_at=check.now,
        facts={
            "Spend": spell_dollars(spent),
            "User": with_id(user.alias, user.user_id),
            "Threshold": f"{spell_dollars(limit)} a {unit}",
            unit.title(): period,
            "Since": check.since,
        },
    )


def _anomaly(user: UserSpend, policy: UserPolicy, check: UserCheck) -> Alert:
    usual = user.before_nanos // policy.anomaly_days
    times = f"{user.day_nanos / usual:.1f} times the usual" if usual else "usually nothing"
    return Alert(
        type=AlertType.USER_SPEND_ANOMALIES,
        severity=Severity.HIGH,
        identity={"user": user.user_id, "period": check.day.isoformat()},
        headline=f"User {user.name}: {spell_dollars(user.day_nanos)} in one day, {times}",
        first_at=check.now,
        last_at=check.now,
        facts={
            "Spend": spell_dollars(user.day_nanos),
            "User": with_id(user.alias, user.user_id),
            "Usual": f"{spell_dollars(usual)} a day, the mean of the {policy.anomaly_days} days before",
            "Threshold": f"{policy.anomaly_ratio:g} times the usual, and {spell_dollars(policy.anomaly_floor_nanos)}",
            "Day": check.day.isoformat(),
            "Since": check.since,
        },
    )
