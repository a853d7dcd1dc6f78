"""Runs under LiteLLM's interpreter: its own alerting, as its proxy makes it, on what a database or time would bring.

Arguments are the name of a function here and its arguments; what it returns is printed as JSON. Alerts go to
``SLACK_WEBHOOK_URL``. Of LiteLLM nothing is replaced but the clock, and the answer of a database that is not there.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from litellm.integrations.SlackAlerting import slack_alerting
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting
from litellm.proxy import proxy_server
from litellm.proxy._types import KeyRequest, VirtualKeyEvent
from litellm.proxy.spend_tracking import spend_management_endpoints
from litellm.types.integrations.slack_alerting import AlertType


def alerting(**more: Any) -> SlackAlerting:
    """Give the alerting of LiteLLM's proxy, switched on as its configuration does."""
    logging = proxy_server.proxy_logging_obj
    logging.update_values(alerting=["slack"], alert_types=list(AlertType), **more)
    return logging.slack_alerting_instance


async def key_deleted(raw: str) -> None:
    """Tell of a deleted key."""
    event = VirtualKeyEvent(
        created_by_user_id="admin",
        created_by_user_role="proxy_admin",
        created_by_key_alias=None,
        request_kwargs={"data": KeyRequest(keys=[raw]), "litellm_changed_by": None},
    )
    slack = alerting()
    await slack.send_virtual_key_event_slack(event, AlertType.virtual_key_deleted, "Virtual Key Deleted")
    await slack.flush_queue()


async def monthly(first: str) -> list[list[str]]:
    """Run the monthly report when its schedule does, on the 1st at midnight; gives the ranges that it asked for.

    The database says that a dollar was spent on each day before.
    """
    today, asked = dt.date.fromisoformat(first), []

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
    slack = alerting()
    with (
        patch.object(slack_alerting, "datetime", clock),
        patch.object(spend_management_endpoints, "get_spend_report_for_time_range", spent),
    ):
        await slack.send_monthly_spend_report()
    await slack.flush_queue()
    return asked


async def hangs_for_an_hour(threshold: str) -> int:
    """Let a call hang for an hour and look as often as LiteLLM does; gives how often it looked."""
    seconds, offset, clock = float(threshold), 0.0, time.time
    slack = alerting(alerting_threshold=seconds)
    looks = 0
    with patch.object(time, "time", lambda: clock() + offset):
        await slack.response_taking_too_long({"litellm_call_id": "hung", "model": "gpt-4o"})
        while offset < 3_600:
            offset += seconds / 2
            looks += 1
            await slack.hanging_request_check.send_alerts_for_hanging_requests()
        await slack.flush_queue()
    return looks


FUNCTIONS: dict[str, Callable[..., Awaitable[Any]]] = {
    "key_deleted": key_deleted,
    "monthly": monthly,
    "hangs_for_an_hour": hangs_for_an_hour,
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(FUNCTIONS[sys.argv[1]](*sys.argv[2:]))))  # type: ignore[arg-type]
