"""The callback: LiteLLM's public hooks, each a few microseconds, none of which waits, raises or keeps a prompt."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from litellm.integrations.custom_logger import CustomLogger

from alertworker.integrations.litellm import facts, failure
from alertworker.publisher import Publisher, get_publisher

_log = logging.getLogger("alertworker.litellm")

#: How long after a request's own end its success or failure may still be on its way, in seconds: LiteLLM logs successes
#: in a background worker.
_GRACE: Final = 5.0
#: How many calls are remembered at once.
_MAX_CALLS: Final = 50_000
_REGISTRY: Final = "_alertworker_litellm_callback"

_Hook = TypeVar("_Hook", bound=Callable[..., Coroutine[Any, Any, Any]])


def _harmless(hook: _Hook) -> _Hook:
    """Keep whatever goes wrong in a hook away from the proxy: an alert is never worth a request."""

    @functools.wraps(hook)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return await hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the proxy's boundary
            _log.warning("%s could not be reported (%s)", hook.__name__, type(error).__name__)
            return None

    return cast("_Hook", guarded)


@dataclass(slots=True)
class _Call:
    """What is remembered of a running call: small facts, never its arguments."""

    started_at: datetime
    facts: dict[str, Any]
    budgets: list[dict[str, Any]]
    attempted: bool = False
    failed_attempts: int = 0
    chunks: int = 0
    last_chunk_at: datetime | None = None
    disconnected: bool = False


class AlertWorkerCallback(CustomLogger):  # type: ignore[misc, unused-ignore] # litellm may be absent when types are checked
    """Publishes what happens to each call. One instance per process."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__()
        self._publisher = publisher
        self._calls: dict[str, _Call] = {}
        self._threshold_known = False
        self._show_messages = os.environ.get("ALERTWORKER_SHOW_MESSAGES", "").lower() in ("1", "true", "yes")

    @_harmless
    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        """Watch the call from here on, and its task for an end that no other hook tells."""
        del cache
        if not self._threshold_known:
            self._learn_threshold()
        call_id = facts.text(data.get("litellm_call_id"))
        if call_id is None or call_id in self._calls or len(self._calls) >= _MAX_CALLS:
            return
        metadata = facts.metadata_of(data)
        call = _Call(
            datetime.now(UTC),
            {
                **facts.identity(user_api_key_dict),
                "call_type": facts.text(call_type),
                "stream": bool(data.get("stream")),
                "model": facts.text(data.get("model")),
                "model_group": facts.text(data.get("model")),
                "tags": facts.tags(metadata.get("tags")),
                "alerting_metadata": facts.shown(metadata.get("alerting_metadata")),
            },
            facts.budgets(user_api_key_dict),
        )
        self._calls[call_id] = call
        self._publisher.inflight.start(call_id, lambda: call.facts)
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(functools.partial(self._request_over, call_id, asyncio.get_running_loop()))

    @_harmless
    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> None:
        """Note the deployment that is tried now."""
        del call_type
        call = self._calls.get(str(kwargs.get("litellm_call_id")))
        if call is not None:
            call.attempted = True
            where = {name: value for name, value in facts.deployment(kwargs).items() if value}
            call.facts = call.facts | where  # a new mapping: the publisher's thread may be reading the old one

    @_harmless
    async def async_post_call_failure_deployment_hook(
        self, request_data: Mapping[str, Any], exception: Exception, call_type: Any, fallback_depth: int | None = None
    ) -> None:
        """Publish one failed attempt."""
        del call_type
        call_id = facts.text(request_data.get("litellm_call_id"))
        if call_id is None:
            return
        call = self._calls.get(call_id)
        now = datetime.now(UTC)
        if call is not None:
            call.failed_attempts += 1
            call.attempted = True
        known = call.facts if call is not None else {}
        where = {name: value for name, value in facts.deployment(request_data).items() if value}
        self._publisher.publish(
            {
                **known,
                **where,
                "type": "llm.attempt.failed",
                "call_id": call_id,
                "started_at": call.started_at if call is not None else now,
                "failure": failure.describe(exception, request_data, attempted=True),
                "fallback_depth": fallback_depth or 0,
            }
        )

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """Pass the chunks on, noting that they come; a consumer that goes away leaves its mark."""
        del user_api_key_dict
        call_id = str(request_data.get("litellm_call_id"))
        call = self._calls.get(call_id)
        progress = self._publisher.inflight.progress
        try:
            async for chunk in response:
                progress(call_id)
                if call is not None:
                    call.chunks += 1
                    call.last_chunk_at = datetime.now(UTC)
                yield chunk
        except (GeneratorExit, asyncio.CancelledError):
            if call is not None:
                call.disconnected = True
            raise

    @_harmless
    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Publish the end of an answered call; for a stream LiteLLM calls this after the last chunk."""
        del response_obj
        logged: Mapping[str, Any] = kwargs.get("standard_logging_object") or {}
        call_id = facts.text(logged.get("litellm_call_id") or kwargs.get("litellm_call_id"))
        if call_id is None:
            return
        call = self._calls.pop(call_id, None)
        metadata = facts.metadata_of(kwargs.get("litellm_params") or {})
        auth = metadata.get("user_api_key_auth")
        known = call.facts if call is not None else facts.identity(auth)
        self._publisher.publish(
            {
                **known,
                **_where(logged, metadata),
                **self._end(call_id, call, logged.get("startTime") or start_time, logged.get("endTime") or end_time),
                **_usage(logged, kwargs),
                **self._excerpt(kwargs),
                **_ended_how(call),
                "last_chunk_at": call.last_chunk_at if call is not None else None,
                "budgets": call.budgets if call is not None else facts.budgets(auth),
                "original_model_group": facts.text(metadata.get("original_model_group")),
                "fallbacks": _count(metadata.get("attempted_fallbacks")),
            }
        )

    @_harmless
    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """Publish the end of a call that failed for good; also of one that was refused before it began."""
        del traceback_str
        now = datetime.now(UTC)
        call_id = (
            facts.text(request_data.get("litellm_call_id")) or f"refused-{id(original_exception):x}-{now.timestamp()}"
        )
        call = self._calls.pop(call_id, None)
        attempted = call is not None and call.attempted
        metadata = facts.metadata_of(request_data)
        known = call.facts if call is not None else facts.identity(user_api_key_dict)
        refused = {} if attempted else {"model": facts.text(request_data.get("model")), "deployment_id": None}
        self._publisher.publish(
            {
                **known,
                **refused,
                **self._end(call_id, call, call.started_at if call is not None else now, now),
                **self._excerpt(request_data),
                "type": "llm.request.failed",
                "attempts": max(1, call.failed_attempts) if call is not None else 1,
                "alerting_metadata": facts.shown(metadata.get("alerting_metadata")),
                "failure": failure.describe(original_exception, request_data, attempted=attempted),
                "budgets": call.budgets if call is not None else facts.budgets(user_api_key_dict),
            }
        )

    def _request_over(self, call_id: str, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        """The request's own task ended: unless success or failure is reported soon, the call was abandoned."""
        call = self._calls.get(call_id)
        if call is None or loop.is_closed():
            return
        call.disconnected = call.disconnected or task.cancelled()
        ended_at = datetime.now(UTC)
        loop.call_later(_GRACE, self._abandon, call_id, call, ended_at)

    def _abandon(self, call_id: str, call: _Call, ended_at: datetime) -> None:
        if self._calls.get(call_id) is not call:
            return
        del self._calls[call_id]
        self._publisher.publish(
            {
                **call.facts,
                **self._end(call_id, call, call.started_at, ended_at),
                "type": "llm.request.abandoned",
                "reason": "disconnected" if call.disconnected or call.facts.get("stream") else "cancelled",
                "chunks": call.chunks,
                "budgets": call.budgets,
            }
        )

    def _end(self, call_id: str, call: _Call | None, started: object, ended: object) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "call_id": call_id,
            "started_at": facts.moment(started) or now,
            "ended_at": facts.moment(ended) or now,
            "announced": self._publisher.inflight.finish(call_id),
            "attempts": (call.failed_attempts if call is not None else 0) + 1,
        }

    def _excerpt(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Give the first 100 characters of the messages, where the operator wants them shown."""
        if not self._show_messages:
            return {}
        return {"messages_excerpt": facts.text(" ".join(failure.prompt_texts(request)), 100)}

    def _learn_threshold(self) -> None:
        """Take the proxy's own threshold once its configuration is loaded; our environment comes first."""
        self._threshold_known = True
        own = os.environ.get("ALERTWORKER_ALERTING_THRESHOLD")
        proxy = sys.modules.get("litellm.proxy.proxy_server")
        configured = (getattr(proxy, "general_settings", None) or {}).get("alerting_threshold")
        for value in (own, configured):
            try:
                if value is not None:
                    self._publisher.threshold_seconds = float(value)
                    return
            except (TypeError, ValueError):
                _log.warning("alerting_threshold is not a number of seconds; calls are announced after 300 s")


def _ended_how(call: _Call | None) -> dict[str, Any]:
    """LiteLLM logs a stream that its client cut as a success, with what it cost until then."""
    if call is not None and call.disconnected:
        return {"type": "llm.request.abandoned", "reason": "disconnected", "chunks": call.chunks}
    return {"type": "llm.request.succeeded"}


def _where(logged: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        "trace_id": facts.text(logged.get("trace_id")),
        "model": facts.text(logged.get("model")),
        "model_group": facts.text(logged.get("model_group")),
        "deployment_id": facts.text(logged.get("model_id")),
        "provider": facts.text(logged.get("custom_llm_provider")),
        "api_base": facts.address(logged.get("api_base")),
        "customer_id": facts.text(logged.get("end_user")),
        "call_type": facts.text(logged.get("call_type")),
        "tags": facts.tags(logged.get("request_tags")),
        "alerting_metadata": facts.shown(
            metadata.get("alerting_metadata") or (metadata.get("requester_metadata") or {}).get("alerting_metadata")
        ),
    }
    return {name: value for name, value in fields.items() if value}


def _usage(logged: Mapping[str, Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    details = ((logged.get("metadata") or {}).get("usage_object") or {}).get("prompt_tokens_details") or {}
    cost = facts.nanos(logged.get("response_cost", kwargs.get("response_cost")))
    trouble = logged.get("response_cost_failure_debug_info") or logged.get("zero_cost_diagnostic")
    return {
        "stream": bool(logged.get("stream")),
        "first_token_at": facts.moment(logged.get("completionStartTime")),
        "prompt_tokens": _count(logged.get("prompt_tokens")),
        "completion_tokens": _count(logged.get("completion_tokens")),
        "cached_tokens": _count(details.get("cached_tokens") if isinstance(details, Mapping) else None),
        "cache_hit": bool(logged.get("cache_hit")),
        "cost_nanos": cost,
        "cost_failure": facts.text(trouble, 500) if not cost else None,
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def get_callback() -> AlertWorkerCallback:
    """Give this process's callback, whatever loaded this module how often."""
    existing = getattr(sys, _REGISTRY, None)
    if existing is None:
        existing = AlertWorkerCallback(get_publisher())
        setattr(sys, _REGISTRY, existing)
    return cast("AlertWorkerCallback", existing)
