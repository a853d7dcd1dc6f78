"""Runs beside LiteLLM: makes LiteLLM's own builders post every kind of alert, and prints LiteLLM's alert types.

The argument is the port of a local receiver that accepts alerts, fails as a provider, and answers as Prometheus.
Only the time between two posts and the database, see `Database`, are replaced in LiteLLM.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

HERE = f"http://127.0.0.1:{sys.argv[1]}"
os.environ |= {
    "SLACK_WEBHOOK_URL": f"{HERE}/slack",
    "WEBHOOK_URL": f"{HERE}/webhook",
    "PROMETHEUS_URL": HERE,
    "PROXY_BASE_URL": "https://proxy.example",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "DEFAULT_FLUSH_INTERVAL_SECONDS": "3600",
}

import litellm  # noqa: E402
from fastapi import HTTPException  # noqa: E402
from litellm.proxy import _types as proxy_types  # noqa: E402
from litellm.proxy import proxy_server  # noqa: E402
from litellm.proxy._experimental.mcp_server.mcp_server_manager import MCPServerManager  # noqa: E402
from litellm.proxy._experimental.mcp_server.tool_catalog_guard import (  # noqa: E402
    BlockedTool,
    PinnedCatalogDrift,
    ToolDescriptionScan,
)
from litellm.proxy.hooks.proxy_track_cost_callback import _ProxyDBLogger  # noqa: E402
from litellm.proxy.management_helpers.utils import send_management_endpoint_alert  # noqa: E402
from litellm.proxy.utils import ProxyLogging  # noqa: E402
from litellm.types.integrations.slack_alerting import AlertType, DeploymentMetrics  # noqa: E402
from litellm.types.mcp_server.mcp_server_manager import MCPServer  # noqa: E402
from openai import APIError  # noqa: E402

KEY = "sk-live0123456789abcdefghij"
PROMPT = [{"role": "user", "content": "my private words"}]
NOBODY = proxy_types.UserAPIKeyAuth()
LOGGING: ProxyLogging = proxy_server.proxy_logging_obj
SLACK = LOGGING.slack_alerting_instance
ROUTER = litellm.Router(
    model_list=[
        {
            "model_name": "gpt-4o",
            "litellm_params": {
                "model": "openai/gpt-4o",
                "api_key": "k",
                "api_base": f"{HERE}/v1",
                "region_name": "eu",
            },
            "model_info": {"id": f"d{number}", "deprecation_date": "2020-01-01"},
        }
        for number in (1, 2)
    ],
    num_retries=0,
    disable_cooldowns=True,
)


class Database:
    """Answers the queries of LiteLLM's reports."""

    @property
    def db(self) -> Database:
        """Return itself: Prisma's client has its queries there."""
        return self

    async def query_raw(self, query: str, *_arguments: object) -> list[dict[str, object]]:
        """Return spends by user, tag or team."""
        if "LiteLLM_DailyUserSpend" in query:
            return [
                {"user_id": user, "daily_spend": 60.0, "monthly_spend": 300.0, "baseline_spend": 7.0}
                for user in ("u1", "u2")
            ]
        name = "individual_request_tag" if "individual_request_tag" in query else "team_alias"
        return [{name: f"{name[0]}{number}", "total_spend": 12.34567 / number} for number in range(1, 40)]


async def database_and_tools() -> None:
    """Trigger the proxy's alerts about a failing database and about the tools of its MCP servers."""
    trace = "Traceback (most recent call last):\n  File x\n" * 100
    refused = HTTPException(500, {"error": "postgresql://admin:hunter2@db-1:5432/x refused"})
    for error, text in ((refused, ""), *[(TimeoutError("no connection"), trace)] * 3):
        with suppress(ModuleNotFoundError):  # its metrics need Prisma's package; the alert is made before that
            await LOGGING.failure_handler(error, 0.1, "get_data", text)
    server = MCPServer(server_id="s1", name="files", transport="http")
    found = {
        AlertType.mcp_tool_description_blocked: ToolDescriptionScan((), (BlockedTool("rm", "injection"),)).alert(
            server
        ),
        AlertType.mcp_pinned_tools_changed: PinnedCatalogDrift(("rm", "mv"), ("ls",), ()).alert(server),
    }
    for kind, alert in found.items():
        await MCPServerManager()._report_catalog_alert(server, LOGGING, kind, alert)


async def calls() -> None:
    """Make calls that fail, at the provider and before it, a slow one, and one that hangs."""
    for metadata in ({"ticket": "T-17", "who": "search"}, None):
        request = {
            "model": "gpt-4o",
            "messages": PROMPT,
            "metadata": {
                "user_api_key_alias": "app",
                "user_api_key_team_alias": "search",
                "alerting_metadata": metadata,
            },
        }
        try:
            await ROUTER.acompletion(**request)
        except APIError as error:
            await LOGGING.post_call_failure_hook(request, error, NOBODY)
    for other in (
        litellm.BudgetExceededError(current_cost=2, max_budget=1),
        ValueError("No api key passed in."),
        litellm.ContextWindowExceededError("too long", "gpt-4o", "openai"),
    ):
        await LOGGING.post_call_failure_hook({"model": "gpt-4o", "messages": PROMPT}, other, NOBODY)
    slow: dict[str, Any] = {
        "model": "gpt-4o",
        "litellm_params": {"metadata": {"alerting_metadata": {"hello": "world"}}, "api_base": "https://eu.example"},
        "messages": PROMPT,
    }
    end = datetime.now()  # noqa: DTZ005 - as LiteLLM calls it
    await SLACK.response_taking_too_long_callback(slow, None, end - timedelta(seconds=400), end)
    for call in ("c1", "c2"):
        await hang(call)


async def hang(call: str) -> None:
    """Let LiteLLM find a call over the threshold, which is 0 here."""
    SLACK.alerting_threshold = 0
    await SLACK.response_taking_too_long(
        {"litellm_call_id": call, "model": "gpt-4o", "metadata": {"user_api_key_alias": "app"}}
    )
    await SLACK.hanging_request_check.send_alerts_for_hanging_requests()
    SLACK.alerting_threshold = 300


async def outages() -> None:
    """Cause enough errors for a deployment's and a region's minor and major outage."""
    error = litellm.APIError(status_code=500, message="boom", llm_provider="openai", model="gpt-4o")
    for number in range(12):
        kwargs = {"exception": error, "litellm_params": {"model_info": {"id": f"d{number % 2 + 1}"}}}
        await SLACK.async_log_failure_event(kwargs, None, None, None)
    for _ in range(10):
        await SLACK.outage_alerts(exception=error, deployment_id="d1")


async def models() -> None:
    """Report a new model, an old one, and one without a known price."""
    await SLACK.model_added_alert("gpt-5", "gpt-4o", {"base_model": "gpt-4o"})
    await SLACK.send_model_deprecation_alert(llm_router=ROUTER)
    await price()


async def price() -> None:
    """Pass a call without a price to LiteLLM's cost callback."""
    metadata = {"user_api_key": "a" * 64, "user_api_key_user_id": "u1"}
    call = {"model": "x-1", "litellm_params": {"metadata": metadata}, "response_cost": None, "stream": False}
    now = datetime.now()  # noqa: DTZ005 - as LiteLLM calls it
    await _ProxyDBLogger()._PROXY_track_cost_callback(call, None, now, now)


async def reports() -> None:
    """Trigger the reports: days, weeks, months, fallbacks, and users with a high spend."""
    proxy_server.prisma_client = Database()
    for number in (1, 2):
        for failed in (True, False):
            figures = DeploymentMetrics(
                id=f"d{number}",
                failed_request=failed,
                latency_per_output_token=0.25,
                updated_at=datetime.now(),  # noqa: DTZ005
            )
            await SLACK.async_update_daily_reports(figures)
    assert await SLACK.send_daily_reports(router=ROUTER)
    await SLACK.send_weekly_spend_report("7d")
    await SLACK.send_monthly_spend_report()
    await SLACK.send_fallback_stats_from_prometheus()
    await SLACK.send_user_spend_alerts()
    proxy_server.prisma_client = None


async def managed() -> None:
    """Make every change of a key, team or internal user that LiteLLM reports, as its endpoints do."""
    admin = proxy_types.UserAPIKeyAuth(user_id="admin", user_role=proxy_types.LitellmUserRoles.PROXY_ADMIN)
    requests: dict[str, Any] = {
        "generate_key_fn": proxy_types.GenerateKeyRequest(
            key_alias="bob's app", team_id="t1", max_budget=10.0, models=["gpt-4o"], metadata={"secret": KEY}
        ),
        "update_key_fn": proxy_types.UpdateKeyRequest(key=KEY, max_budget=20.0),
        "delete_key_fn": proxy_types.KeyRequest(keys=[KEY]),
        "new_team": proxy_types.NewTeamRequest(
            team_id="t1", team_alias="search", members_with_roles=[proxy_types.Member(role="admin", user_id="u1")]
        ),
        "update_team": proxy_types.UpdateTeamRequest(team_id="t1", max_budget=5.0),
        "delete_team": proxy_types.DeleteTeamRequest(team_ids=["t1", "t2"]),
        "new_user": proxy_types.NewUserRequest(user_id="u1", user_email="u1@example.com"),
        "user_update": proxy_types.UpdateUserRequest(user_id="u1", max_budget=7.0),
        "delete_user": proxy_types.DeleteUserRequest(user_ids=["u1"]),
        "regenerate_key_fn": proxy_types.RegenerateKeyRequest(key=KEY),
    }
    for function, data in requests.items():
        behalf = "carol" if function == "delete_team" else None
        arguments = {"data": data, "user_api_key_dict": admin, "litellm_changed_by": behalf}
        await send_management_endpoint_alert(arguments, admin, function)


#: As the proxy's authentication fills it in, scope by scope: LiteLLM's type, the owner, and the reported owner.
BUDGETS: tuple[tuple[Any, str, dict[str, Any]], ...] = (
    ("token_budget", "key", {"token": "a" * 64, "max_budget": 100.0, "key_alias": "app", "team_id": "t1"}),
    ("projected_limit_exceeded", "key", {"token": "b" * 64, "max_budget": 500.0, "projected_spend": 700.0}),
    ("max_budget_alert", "key", {"token": "c" * 64, "max_budget": 110.0, "max_budget_alert_emails": {"80": ["a@b.c"]}}),
    ("soft_budget", "key", {"token": "d" * 64, "soft_budget": 90.0}),
    ("user_budget", "user", {"user_id": "u1", "max_budget": 100.0, "user_email": "u1@example.com"}),
    ("team_budget", "team", {"token": "e" * 64, "team_id": "t1", "team_alias": "search", "max_budget": 100.0}),
    ("soft_budget", "team", {"token": "e" * 64, "team_id": "t2", "soft_budget": 90.0, "alert_emails": ["a@b.c"]}),
    ("max_budget_alert", "team_member", {"user_id": "u1", "team_id": "t1", "max_budget": 110.0}),
    ("organization_budget", "organization", {"token": "e" * 64, "organization_id": "o1", "max_budget": 100.0}),
    ("project_budget", "project", {"token": "f" * 64, "team_id": "t1", "max_budget": 100.0}),
    ("soft_budget", "project", {"token": "0" * 64, "team_id": "t1", "soft_budget": 90.0}),
    ("proxy_budget", "proxy", {"token": "e" * 64, "user_id": "default_user_id", "max_budget": 100.0}),
)


async def managed_twice() -> None:
    """Make every change twice."""
    for _ in range(2):
        await managed()
        await settled()


async def budgets() -> None:
    """Report every scope, and a customer's spend."""
    for kind, scope, fields in BUDGETS:
        info = proxy_types.CallInfo(spend=100.0, event_group=proxy_types.Litellm_EntityType(scope), **fields)
        await LOGGING.budget_alerts(kind, info)
    await SLACK.customer_spend_alert("a" * 64, "app", "c1", 0.5, 10.0)


async def settled() -> None:
    """Wait for the tasks that the proxy's hooks started."""
    await asyncio.gather(
        *(task for task in asyncio.all_tasks() if "ProxyLogging." in getattr(task.get_coro(), "__qualname__", ""))
    )


async def run(*parts: Callable[[], Awaitable[None]]) -> None:
    """Run each part, and let LiteLLM post its alerts."""
    for part in parts:
        await part()
        await settled()
        await SLACK._flush_digest_buckets()
        await SLACK.flush_queue()


async def main() -> None:
    """Trigger everything one by one, then frequent alerts once more in digests."""
    LOGGING.update_values(
        alerting=["slack", "webhook"],
        alerting_threshold=300,
        alert_types=list(AlertType),
        alerting_args={"daily_spend_per_user_threshold": 50, "monthly_spend_per_user_threshold": 200},
    )
    LOGGING.startup_event(llm_router=ROUTER, redis_usage_cache=None)
    await run(database_and_tools, calls, outages, models, reports, managed, budgets)
    digested = (
        "llm_exceptions", "llm_too_slow", "llm_requests_hanging", "outage_alerts", "db_exceptions",
        "new_virtual_key_created", "virtual_key_updated", "virtual_key_deleted",
        "new_team_created", "team_updated", "team_deleted",
        "new_internal_user_created", "internal_user_updated", "internal_user_deleted",
    )  # fmt: skip
    LOGGING.update_values(
        alert_type_config={alert_type: {"digest": True, "digest_interval": 0} for alert_type in digested}
    )
    LOGGING.slack_alerting_instance.internal_usage_cache.flush_cache()
    await run(database_and_tools, calls, outages, managed_twice)
    print(json.dumps([alert_type.value for alert_type in AlertType]))


asyncio.run(main())
