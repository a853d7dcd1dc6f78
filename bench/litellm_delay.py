"""The time that LiteLLM takes from a failure to the POST. Runs under an interpreter that has LiteLLM.

Each line on standard input names a deployment, which then fails often enough for an outage alert.
"""

from __future__ import annotations

import asyncio
import sys

import litellm
from litellm.caching.caching import DualCache
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting


async def main(url: str) -> None:
    """Fail on request."""
    names = [f"bench-{number}" for number in range(100)]
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_key": "x", "api_base": f"http://{name}"},
            "model_info": {"id": name},
        }
        for name in names
    ]
    alerting = SlackAlerting(
        internal_usage_cache=DualCache(default_in_memory_ttl=1), alerting=["slack"], default_webhook_url=url
    )
    alerting.update_values(alerting=["slack"], llm_router=litellm.Router(model_list=models))
    error = litellm.InternalServerError("boom", llm_provider="openai", model="gpt-4o")
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        for _ in range(5):
            await alerting.outage_alerts(exception=error, deployment_id=line.strip())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
