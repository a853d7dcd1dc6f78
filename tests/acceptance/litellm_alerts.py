"""Runs beside LiteLLM: has its own builders make every kind of alert, and prints what each posts, as JSON lines.

Arguments: the port of a receiver on this machine that answers 200. Nothing of LiteLLM is replaced but the time between
two posts.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime, timedelta
from typing import Any

PORT = sys.argv[1]
os.environ["SLACK_WEBHOOK_URL"] = f"http://127.0.0.1:{PORT}/slack"
os.environ["WEBHOOK_URL"] = f"http://127.0.0.1:{PORT}/webhook"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["PROXY_BASE_URL"] = "https://proxy.example"

import litellm  # noqa: E402
from litellm.caching.caching import DualCache  # noqa: E402
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting  # noqa: E402
from litellm.proxy._types import (  # noqa: E402
    CallInfo,
    GenerateKeyRequest,
    KeyRequest,
    Litellm_EntityType,
    NewTeamRequest,
    NewUserRequest,
    UpdateKeyRequest,
    VirtualKeyEvent,
)
from litellm.types.integrations.slack_alerting import AlertType  # noqa: E402

KEY = "sk-live0123456789abcdefghij"


def alerting(**more: Any) -> SlackAlerting:
    """Give LiteLLM's alerting with every type on."""
    return SlackAlerting(
        internal_usage_cache=DualCache(),
        alerting=["slack", "webhook"],
        alert_types=list(AlertType),
        alerting_threshold=300,
        **more,
    )


async def plain(slack: SlackAlerting) -> None:
    """Texts that callers of ``send_alert`` in the proxy make, by their own words."""
    for _ in range(3):
        await slack.send_alert(
            "DB read/write call failed: timed out connecting to db-1:5432Traceback (most recent call last):\n  x",
            "High",
            AlertType.db_exceptions,
            {},
        )
    await slack.send_alert(
        "LLM API call failed: `litellm.APIError: boom\nModel: gpt-4o\nAPI Base: `https://up.example`\n"
        "Messages: `[{'role': 'user', 'content': 'my private words'}]`\nmodel_group: `gpt-4o`\n\n"
        "deployment: `azure/x`\n`",
        "High",
        AlertType.llm_exceptions,
        {"ticket": "T-17"},
    )
    await slack.send_alert(
        "MCP server `files`: 1 tool description(s) blocked by a guardrail and hidden from tools/list\n"
        "- `rm`: injection",
        "Medium",
        AlertType.mcp_tool_description_blocked,
        {},
    )
    await slack.send_alert(
        "MCP server `files`: upstream tool list drifted from the pinned catalog; changes are hidden\nadded: `rm`",
        "Medium",
        AlertType.mcp_pinned_tools_changed,
        {},
    )


async def built(slack: SlackAlerting) -> None:
    """Texts that LiteLLM's builders make."""
    router = litellm.Router(
        model_list=[
            {
                "model_name": "gpt-4o",
                "litellm_params": {
                    "model": "azure/gpt-4o",
                    "api_key": "k",
                    "api_base": "https://eu.example",
                    "region_name": "eu",
                },
                "model_info": {"id": f"d{number}", "deprecation_date": "2020-01-01"},
            }
            for number in (1, 2)
        ]
    )
    error = litellm.APIError(status_code=500, message="boom", llm_provider="azure", model="gpt-4o")
    slack.update_values(llm_router=router)
    for number in range(12):
        await slack.outage_alerts(exception=error, deployment_id="d1")
        await slack.region_outage_alerts(exception=error, deployment_id=f"d{number % 2 + 1}")
    await slack.model_added_alert("gpt-5", "gpt-4o", {"base_model": "gpt-4o"})
    await slack.send_model_deprecation_alert(llm_router=router)
    await slack.failed_tracking_alert("no price for x", "gpt-4o")
    await slack.budget_alerts(
        "token_budget",
        CallInfo(
            spend=100.0,
            max_budget=100.0,
            token="a" * 64,
            key_alias="app",
            user_id="u1",
            team_id="t1",
            event_group=Litellm_EntityType.KEY,
        ),
    )
    await slack.response_taking_too_long_callback(
        {
            "model": "gpt-4o",
            "litellm_params": {"metadata": {}, "api_base": "https://eu.example"},
            "messages": [{"role": "user", "content": "my private words"}],
        },
        None,
        datetime.now() - timedelta(seconds=400),  # noqa: DTZ005 - as LiteLLM calls it
        datetime.now(),  # noqa: DTZ005 - as LiteLLM calls it
    )


async def managed(slack: SlackAlerting) -> None:
    """Events of keys, teams and users, by LiteLLM's own models."""
    requests: dict[AlertType, Any] = {
        AlertType.new_virtual_key_created: GenerateKeyRequest(
            key_alias="app", team_id="t1", max_budget=10.0, models=["gpt-4o"]
        ),
        AlertType.virtual_key_updated: UpdateKeyRequest(key=KEY, max_budget=20.0),
        AlertType.virtual_key_deleted: KeyRequest(keys=[KEY]),
        AlertType.new_team_created: NewTeamRequest(team_id="t1", team_alias="search"),
        AlertType.new_internal_user_created: NewUserRequest(user_id="u1", user_email="u1@example.com"),
    }
    for kind, data in requests.items():
        event = VirtualKeyEvent(
            created_by_user_id="admin",
            created_by_user_role="proxy_admin",
            created_by_key_alias=None,
            request_kwargs={"data": data, "litellm_changed_by": None},
        )
        await slack.send_virtual_key_event_slack(event, kind, kind.replace("_", " ").title())


async def main() -> None:
    """Make everything, then let LiteLLM send it."""
    slack = alerting()
    for part in (plain, built, managed):
        await part(slack)
        await slack.flush_queue()
    digest = alerting(alert_type_config={"llm_requests_hanging": {"digest": True, "digest_interval": 0}})
    for _ in range(3):
        await digest.send_alert(
            "`Requests are hanging - 300s+ request time`\nRequest Model: `gpt-4o`\nAPI Base: `None`\nKey Alias: `app`",
            "Medium",
            AlertType.llm_requests_hanging,
            {},
            request_model="gpt-4o",
        )
    await digest._flush_digest_buckets()
    await digest.flush_queue()


asyncio.run(main())
