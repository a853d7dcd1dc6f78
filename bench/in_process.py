"""The cost of alerting inside the proxy's process, ours and LiteLLM's. Runs under an interpreter that has LiteLLM.

Prints one line of JSON: the CPU time of each repeat in microseconds per request, for each contender.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import litellm
from litellm.caching.caching import DualCache, RedisCache
from litellm.integrations.SlackAlerting.slack_alerting import SlackAlerting

from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from alertworker.publisher import BrokerTransport, Publisher

REQUESTS = 1_000
_PROMPT = [{"role": "user", "content": "Summarise this for the board, please. " * 30}]


class LiteLLMs:
    """LiteLLM's alerting as its proxy sets it up, for one request."""

    def __init__(self, redis_port: int | None) -> None:
        self.run = uuid4().hex[:8]
        deployment = {"model": "openai/gpt-4o", "api_key": "x", "api_base": "http://127.0.0.1:9"}
        models = [
            {"model_name": "gpt-4o", "litellm_params": deployment, "model_info": {"id": f"{self.run}-d{n}"}}
            for n in range(20)
        ]
        redis = RedisCache(host="127.0.0.1", port=redis_port) if redis_port else None
        self.cache = DualCache(redis_cache=redis, default_in_memory_ttl=1)
        self.alerting = SlackAlerting(
            internal_usage_cache=self.cache,
            alerting=["slack"],
            alerting_threshold=30,
            default_webhook_url="http://127.0.0.1:9",
        )
        self.alerting.update_values(llm_router=litellm.Router(model_list=models))
        self.response = litellm.ModelResponse(usage={"prompt_tokens": 300, "completion_tokens": 50})
        self.error = litellm.InternalServerError("boom", llm_provider="openai", model="gpt-4o")

    async def request(self, number: int, *, fails: bool) -> None:
        """Do the alerting work of one request."""
        call, now = f"{self.run}-{number}", datetime.now()  # noqa: DTZ005 - LiteLLM's times have no zone
        data = {"litellm_call_id": call, "model": "gpt-4o", "messages": _PROMPT, "metadata": {}}
        parameters = {"model_info": {"id": f"{self.run}-d{number % 20}"}, "metadata": {}, "api_base": "http://x"}
        kwargs = {"model": "gpt-4o", "messages": _PROMPT, "litellm_params": parameters, "exception": self.error}
        await self.alerting.response_taking_too_long(request_data=data)
        await self.cache.async_set_cache(f"request_status:{call}", "success", ttl=70, local_only=True)
        start = now - timedelta(seconds=1)
        if fails:
            await self.alerting.async_log_failure_event(kwargs, None, start, now)
            return
        await self.alerting.response_taking_too_long_callback(kwargs, self.response, start, now)
        await self.alerting.async_log_success_event(kwargs, self.response, start, now)


class Ours:
    """Our callback with the real publisher, thread and broker, for one request."""

    def __init__(self, broker_url: str) -> None:
        self.publisher = Publisher(BrokerTransport(broker_url), Path(tempfile.mkdtemp()) / "spool")
        self.recorder = Recorder(self.publisher, CallbackOptions())
        self.caller = SimpleNamespace(
            api_key="a" * 64, key_alias="app", team_id="t1", team_alias="Search", user_id="u1", end_user_id=None
        )
        self.run = f"{uuid4().hex[:8]}-0000-4000-8000"  # LiteLLM's ids are UUIDs
        self.error = litellm.InternalServerError("boom", llm_provider="openai", model="gpt-4o")

    async def request(self, number: int, *, fails: bool) -> None:
        """Run every hook that one request runs."""
        call = f"{self.run}-{number:012d}"
        shown = {"job": "nightly-summary", "ticket": "T-4711", "owner": {"team": "search", "mail": "s@example.com"}}
        metadata = {"model_group": "gpt-4o", "tags": ["a", "b"], "alerting_metadata": shown}
        data: dict[str, Any] = {"litellm_call_id": call, "model": "gpt-4o", "messages": _PROMPT, "metadata": metadata}
        self.recorder.started(data, self.caller, "acompletion")
        attempt = data | {"api_key": "sk-deployment", "api_base": "http://x", "model_info": {"id": f"d{number % 20}"}}
        self.recorder.attempt_started(attempt)
        if fails:
            self.recorder.attempt_failed(attempt, self.error, 0)
            self.recorder.failed(data, self.error, self.caller)
            return
        self.recorder.answer_complete(data)
        self.recorder.succeeded(self._log(call, number, metadata))

    @staticmethod
    def _log(call: str, number: int, metadata: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        log = {
            "litellm_call_id": call, "trace_id": call, "call_type": "acompletion", "response_cost": 0.00123,
            "custom_llm_provider": "openai", "prompt_tokens": 300, "completion_tokens": 50, "startTime": now - 1,
            "endTime": now, "completionStartTime": now, "model": "gpt-4o", "model_id": f"d{number % 20}",
            "model_group": "gpt-4o", "api_base": "http://x", "metadata": {}, "request_tags": ["a", "b"],
            "end_user": "c1", "messages": _PROMPT,
        }  # fmt: skip
        return {"standard_logging_object": log, "litellm_params": {"metadata": metadata}}


async def measure(one: Callable[[int], Awaitable[None]], clock: Callable[[], int]) -> float:
    """Return the microseconds of one request."""
    began = clock()
    for number in range(REQUESTS):
        await one(number)
    if clock is time.process_time_ns:
        await asyncio.sleep(0.4)  # Deferred work counts, too: the publisher's thread and LiteLLM's tasks.
    return (clock() - began) / REQUESTS / 1_000


async def main(broker_url: str, redis_port: int, repeats: int = 5) -> None:
    """Measure every contender in each repeat, one after the other, after one repeat as a warm-up."""
    ours, again = Ours(broker_url), Ours(broker_url)
    memory, shared = LiteLLMs(None), LiteLLMs(redis_port)
    event = {"type": "llm.request.succeeded", "call_id": "1", "model": "gpt-4o"}

    async def publish(_: int) -> None:
        ours.publisher.publish(event)

    figures: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        contenders: dict[str, tuple[Callable[[int], Awaitable[None]], Callable[[], int]]] = {
            "publish(), in the caller": (publish, time.thread_time_ns),
        }
        for name, fails in (("good", False), ("failing", True)):
            base = repeat * REQUESTS
            contenders |= {
                f"alertworker, {name}, in the request": (_bind(ours, base, fails=fails), time.thread_time_ns),
                f"alertworker, {name}, with the thread": (
                    _bind(ours, base + 500_000, fails=fails),
                    time.process_time_ns,
                ),
                f"LiteLLM, {name}, memory only": (_bind(memory, base, fails=fails), time.process_time_ns),
                f"LiteLLM, {name}, with Redis": (_bind(shared, base, fails=fails), time.process_time_ns),
            }
        for name, (one, clock) in contenders.items():
            figure = await measure(one, clock)
            await asyncio.sleep(0.4)  # Deferred work of one contender must not count for the next.
            if repeat:
                figures.setdefault(name, []).append(figure)
    for mine in (ours, again):
        mine.publisher.close()
    print(json.dumps(figures))


def _bind(contender: Ours | LiteLLMs, base: int, *, fails: bool) -> Callable[[int], Awaitable[None]]:
    return lambda number: contender.request(base + number, fails=fails)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *(int(number) for number in sys.argv[2:])))
