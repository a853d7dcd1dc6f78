"""Runs LiteLLM's own alerting under its interpreter, as its proxy sets it up, on input of a database or of the clock.

The arguments are the name of a function in this file and its arguments. Its result is printed as JSON. Alerts go to
``SLACK_WEBHOOK_URL``. Only the clock and the answers of the database and of Prometheus are replaced.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from litellm.integrations.prometheus_helpers import prometheus_api
from litellm.integrations.SlackAlerting import slack_alerting
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting
from litellm.proxy import proxy_server
from litellm.proxy._types import CallInfo, KeyRequest, Litellm_EntityType, VirtualKeyEvent
from litellm.proxy.spend_tracking import spend_management_endpoints
from litellm.types.integrations.slack_alerting import AlertType


def alerting(**more: Any) -> SlackAlerting:
    """Return the alerting of LiteLLM's proxy, enabled as its configuration does."""
    logging = proxy_server.proxy_logging_obj
    logging.update_values(alerting=["slack"], alert_types=list(AlertType), **more)
    return logging.slack_alerting_instance


async def key_deleted(raw: str) -> None:
    """Send the alert about a deleted key."""
    event = VirtualKeyEvent(
        created_by_user_id="admin",
        created_by_user_role="proxy_admin",
        created_by_key_alias=None,
        request_kwargs={"data": KeyRequest(keys=[raw]), "litellm_changed_by": None},
    )
    slack = alerting()
    await slack.send_virtual_key_event_slack(event, AlertType.virtual_key_deleted, "Virtual Key Deleted")
    await slack.flush_queue()


async def same_id(name: str) -> None:
    """Send the alerts that a user and a team with the same id have used up their budgets."""
    slack = alerting()
    user = CallInfo(spend=100.0, max_budget=100.0, token="k1", user_id=name, event_group=Litellm_EntityType.USER)
    team = CallInfo(spend=100.0, max_budget=100.0, token="k2", team_id=name, event_group=Litellm_EntityType.TEAM)
    await slack.budget_alerts("user_budget", user)
    await slack.budget_alerts("team_budget", team)
    await slack.flush_queue()


async def monthly(first: str) -> list[list[str]]:
    """Run the monthly report at its scheduled time, the 1st at midnight. Return the date ranges that it queries."""
    slack = alerting()
    with _on(first) as asked:
        await slack.send_monthly_spend_report()
    await slack.flush_queue()
    return asked


async def weekly(day: str) -> list[list[str]]:
    """Run the report of 7 days, as a proxy does soon after its start. Return the date ranges that it queries."""
    slack = alerting()
    with _on(day) as asked:
        await slack.send_weekly_spend_report("7d")
    await slack.flush_queue()
    return asked


async def fallbacks(saved: str, failed: str) -> None:
    """Run the fallback report. Prometheus' counters were 100 and 40 a day ago and have risen by the arguments since."""

    async def counter(metric_name: str) -> list[prometheus_api.PrometheusRangeSample]:
        first, more = (100, int(saved)) if "successful" in metric_name else (40, int(failed))
        labels = {"primary_model": "gpt-4o", "fallback_model": "claude"}
        now = time.time()
        values = [(now - 86_400, str(first)), (now, str(first + more))]
        return [prometheus_api.PrometheusRangeSample(metric=labels, values=values)]

    slack = alerting()
    with patch.object(prometheus_api, "get_metric_from_prometheus", counter):
        await slack.send_fallback_stats_from_prometheus()
    await slack.flush_queue()


@contextmanager
def _on(day: str) -> Iterator[list[list[str]]]:
    """Set the clock to the day, and return the date ranges that are queried.

    The replaced database returns $1 of spend for each day before.
    """
    today, asked = dt.date.fromisoformat(day), []

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(today.year, today.month, today.day, tzinfo=tz)

    async def spent(start_date: str, end_date: str) -> Any:
        asked.append([start_date, end_date])
        days = (
            min(dt.date.fromisoformat(end_date), today - dt.timedelta(1)) - dt.date.fromisoformat(start_date)
        ).days + 1
        return ([{"team_alias": "search", "total_spend": float(days)}], []) if days > 0 else ([], [])

    clock = SimpleNamespace(datetime=Clock, timedelta=dt.timedelta, timezone=dt.timezone)
    with (
        patch.object(slack_alerting, "datetime", clock),
        patch.object(spend_management_endpoints, "get_spend_report_for_time_range", spent),
    ):
        yield asked


async def hangs_for_an_hour(threshold: str) -> int:
    """Make a call hang for an hour, check it as often as LiteLLM does, and return the number of checks."""
    seconds, offset, clock = float(threshold), 0.0, time.time
    slack = alerting(alerting_threshold=seconds)
    checks = 0
    with patch.object(time, "time", lambda: clock() + offset):
        await slack.response_taking_too_long({"litellm_call_id": "hung", "model": "gpt-4o"})
        while offset < 3_600:
            offset += seconds / 2
            checks += 1
            await slack.hanging_request_check.send_alerts_for_hanging_requests()
        await slack.flush_queue()
    return checks


FUNCTIONS: dict[str, Callable[..., Awaitable[Any]]] = {
    "key_deleted": key_deleted,
    "same_id": same_id,
    "monthly": monthly,
    "weekly": weekly,
    "fallbacks": fallbacks,
    "hangs_for_an_hour": hangs_for_an_hour,
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(FUNCTIONS[sys.argv[1]](*sys.argv[2:]))))  # type: ignore[arg-type]
