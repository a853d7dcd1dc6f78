"""Runs under LiteLLM's interpreter: passes budgets to LiteLLM's own alerting, which posts to ``WEBHOOK_URL``.

Standard input is a JSON object. ``alerts`` are pairs of a type and the fields of a ``CallInfo``. ``projections`` are
the arguments of LiteLLM's projection. The projections are printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import Any

from litellm.caching.caching import DualCache
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting
from litellm.proxy._types import CallInfo, Litellm_EntityType
from litellm.proxy.utils import get_projected_spend_over_limit


async def alert(kind: Any, fields: dict[str, Any]) -> None:
    """Pass one budget to an alerting that has sent nothing yet."""
    alerting = SlackAlerting(alerting=["webhook"], internal_usage_cache=DualCache())
    group = Litellm_EntityType(fields.pop("group"))
    await alerting.budget_alerts(kind, CallInfo(event_group=group, **fields))


async def main() -> None:
    """Run the alerts and projections of standard input."""
    asked = json.load(sys.stdin)
    for kind, fields in asked["alerts"]:
        await alert(kind, fields)
    found = []
    for spend, soft, duration, reset_at, now in asked["projections"]:
        moments = [datetime.fromisoformat(text) for text in (reset_at, now)]
        projected = get_projected_spend_over_limit(spend, soft, duration, *moments)
        found.append(None if projected is None else [projected[0], projected[1].isoformat()])
    print(json.dumps(found))


asyncio.run(main())
