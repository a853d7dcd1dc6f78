"""Users' spend on a real database: checked every hour, notified once a day and once a month."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.events import RequestSucceeded
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, batch, rows, run_until_quiet

DOLLAR = 1_000_000_000
HOUR = timedelta(hours=1)


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with thresholds of $50 a day and $120 a month, and with anomalies."""
    return replace(runtime, users=UserPolicy(daily_nanos=50 * DOLLAR, monthly_nanos=120 * DOLLAR, anomalies=True))


def spent(dollars: float, at: datetime, *, team: str = "t1", key: str = "hash-1") -> RequestSucceeded:
    """Return a call of a user, in a team, by a key."""
    return RequestSucceeded(
        call_id=f"{team}-{dollars}-{at}",
        started_at=at,
        ended_at=at,
        occurred_at=at,
        model_group="gpt-4o",
        team_id=team,
        user_id="u1",
        user_email="ann@example.com",
        key_hash=key,
        key_alias=f"{key}-alias",
        cost_nanos=round(dollars * DOLLAR),
    )


def headlines(runtime: Runtime, outbox: Outbox, now: datetime) -> list[str]:
    """Sweep and deliver, and return the headlines about users."""
    sweep(runtime, now=now)
    run_until_quiet(runtime, now)
    said = [message.headline for message in outbox.sent if message.headline.startswith("User ")]
    outbox.sent.clear()
    return sorted(said)


def test_a_users_day_over_all_teams_is_notified_once_and_the_month_once(runtime: Runtime, outbox: Outbox) -> None:
    """No team alone is over the threshold. On the next day only new crossings are notified."""
    week = [batch(spent(7, NOW - timedelta(days=days))) for days in range(1, 8)]
    for item in week:
        ingest(item, runtime, now=NOW)
    ingest(batch(spent(30, NOW), spent(21, NOW, team="t2", key="hash-2")), runtime, now=NOW)
    sweep(runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    (anomaly, threshold) = sorted(outbox.sent, key=lambda message: message.type)

    assert threshold.headline == "User ann@example.com: $51 in one day, over $50"
    assert anomaly.headline == "User ann@example.com: $51 in one day, 7.3 times the usual"
    assert threshold.facts["Top models"] == "gpt-4o $51"
    assert threshold.facts["Top keys"] == "hash-1-alias $30, hash-2-alias $21"
    outbox.sent.clear()

    ingest(batch(spent(9, NOW + HOUR)), runtime, now=NOW + HOUR)
    assert headlines(runtime, outbox, NOW + 2 * HOUR) == []
    tomorrow = NOW + timedelta(days=1)
    ingest(batch(spent(20, tomorrow)), runtime, now=tomorrow)
    assert headlines(runtime, outbox, tomorrow) == ["User ann@example.com: $129 in one month, over $120"]
    assert headlines(runtime, outbox, tomorrow + 2 * HOUR) == []


def test_between_two_looks_nothing_is_asked_and_the_evening_before_is_not_forgotten(
    runtime: Runtime, outbox: Outbox
) -> None:
    """Spend after the last check of a day is notified by the first check of the next day."""
    evening = NOW.replace(hour=23, minute=30)
    assert headlines(runtime, outbox, evening) == []
    ingest(batch(spent(60, evening + HOUR / 3)), runtime, now=evening + HOUR / 3)
    assert headlines(runtime, outbox, evening + HOUR / 2 - timedelta(seconds=1)) == []

    found = headlines(runtime, outbox, evening + HOUR)
    assert "User ann@example.com: $60 in one day, over $50" in found


def test_concurrent_sweeps_notify_once(runtime: Runtime, store: SqlStore) -> None:
    """Only one of the four beats makes the check."""
    ingest(batch(spent(60, NOW)), runtime, now=NOW)
    threads = [threading.Thread(target=sweep, args=(runtime,), kwargs={"now": NOW}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(rows(store, NOTIFICATIONS)) == 2
