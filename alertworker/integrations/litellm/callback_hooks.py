"""The callback that LiteLLM loads. It uses public hooks only, patches nothing, raises nothing and awaits nothing."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import lru_cache
from types import FrameType
from typing import Any, Concatenate, Final, ParamSpec

import litellm
from litellm.integrations.custom_logger import CustomLogger

from alertworker.errors import AlertWorkerError
from alertworker.integrations.litellm.cooldowns import CooldownWatch
from alertworker.integrations.litellm.deployments import Deployments, named_provider
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from alertworker.publisher import Publisher, get_publisher

_log: Final = logging.getLogger(__name__)
_P = ParamSpec("_P")
#: The attribute that holds the only callback of this process: LiteLLM may load a module twice under two names.
_REGISTRY: Final = "_alertworker_litellm_callback"
#: LiteLLM's module that holds the proxy's configuration. It is looked up and never imported: importing starts a proxy.
_SERVER: Final = "litellm.proxy.proxy_server"
#: Providers for which LiteLLM starts a login that waits for a person when it looks them up. Their models' names start
#: with the provider.
_LOGS_IN: Final = frozenset(("chatgpt", "github_copilot"))
_VERTEX_LOCATIONS: Final = ("VERTEXAI_LOCATION", "VERTEX_LOCATION")


class AlertWorkerCallback(CustomLogger):  # type: ignore[misc]  # LiteLLM is not installed where types are checked
    """Publishes an event for each call's end and for each failed attempt.

    LiteLLM looks up some hooks in this class itself, so they must be defined here and not in a base class. A failure
    of the callback is logged once per hook, by its class alone, and never reaches the proxy.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: Recorder | None = None
        self._warned: set[str] = set()

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> None:
        """Start following a call. LiteLLM has authenticated the request and has not chosen a deployment yet."""
        del cache
        self._safely(Recorder.started, data, user_api_key_dict, call_type)

    async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> None:
        """Record that LiteLLM chose a deployment and is about to call it."""
        del call_type
        self._safely(Recorder.attempt_started, kwargs)

    async def async_post_call_failure_deployment_hook(
        self, request_data: Any, exception: Exception, call_type: Any, fallback_depth: int | None = None
    ) -> None:
        """Publish the failure of one attempt on a deployment."""
        self._safely(Recorder.attempt_failed, request_data, exception, fallback_depth, call_type)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Publish a completed call. LiteLLM calls this beside the request, for a stream after its last chunk."""
        del response_obj, start_time, end_time
        self._safely(Recorder.succeeded, kwargs)

    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> None:
        """Record that a call's answer is complete."""
        del user_api_key_dict, response
        self._safely(Recorder.answer_complete, data)

    async def async_post_call_failure_hook(
        self,
        request_data: Any,
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """Publish a request that failed after all attempts, or that LiteLLM refused."""
        del traceback_str
        self._safely(Recorder.failed, request_data, original_exception, user_api_key_dict)

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Any
    ) -> AsyncIterator[Any]:
        """Pass on every chunk of a stream as it arrives, and record its arrival."""
        del user_api_key_dict
        async for chunk in response:
            self._safely(Recorder.chunk, request_data)
            yield chunk
        self._safely(Recorder.answer_complete, request_data)

    async def async_log_audit_log_event(self, audit_log: Any) -> None:
        """Publish a change in LiteLLM's audit log.

        LiteLLM calls this only if audit logs are on and this callback is listed.
        """
        self._safely(Recorder.changed, audit_log)

    def _recorder(self) -> Recorder:
        if self._made is None:
            options = CallbackOptions.read(os.environ, _litellm_config())
            publisher = get_publisher()
            publisher.integration = "litellm"
            cooldowns = CooldownWatch(publisher.publish, _litellm_cooldowns)
            self._made = Recorder(
                publisher,
                options,
                threshold=_litellm_threshold,
                cooldowns=cooldowns,
                prices=_litellm_price,
                deployments=Deployments(_litellm_provider, _litellm_vertex_location()),
            )
            expect_end_on_sigterm(publisher)
        return self._made

    def _safely(self, act: Callable[Concatenate[Recorder, _P], None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            act(self._recorder(), *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the proxy's boundary: the callback must not fail a request
            shown = error if isinstance(error, AlertWorkerError) else type(error).__name__
            problem = f"{act.__name__}: {shown}"
            if problem not in self._warned:
                self._warned.add(problem)
                _log.warning("call not recorded (%s)", problem)


def expect_end_on_sigterm(publisher: Publisher) -> None:
    """Notify the publisher when the proxy receives SIGTERM, because uvicorn then ends without running exit handlers.

    This does nothing if the host has no handler of its own for the signal. The host's handler runs first. The
    callback calls this at the first request, when the server has installed its handler.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        handler(number, frame)
        publisher.expect_end()

    signal.signal(signal.SIGTERM, handle)


def _litellm_config() -> Mapping[str, object]:
    """Return a copy of the configuration of the proxy in this process, or an empty mapping if there is none."""
    proxy_config = getattr(sys.modules.get(_SERVER), "proxy_config", None)
    config = proxy_config.get_config_state() if proxy_config is not None else None
    return config if isinstance(config, Mapping) else {}


def _litellm_threshold() -> object:
    """Return ``general_settings.alerting_threshold`` of the proxy in this process, or ``None`` if there is none."""
    settings = getattr(sys.modules.get(_SERVER), "general_settings", None)
    return settings.get("alerting_threshold") if isinstance(settings, Mapping) else None


def _litellm_price(model: str) -> object:
    """Return a model's entry in LiteLLM's price list. LiteLLM may reload the list."""
    return litellm.model_cost.get(model)


@lru_cache(maxsize=1_000)
def _litellm_provider(model: str, api_base: str | None) -> str | None:
    """Return the provider that LiteLLM calls for a model, or ``None`` for a model that LiteLLM does not know."""
    named = named_provider(model, api_base)
    if named in _LOGS_IN:
        return named
    try:
        return str(litellm.get_llm_provider(model=model, api_base=api_base)[1])
    except Exception:  # noqa: BLE001 - it raises several kinds of errors for a model that it does not know
        return None


def _litellm_vertex_location() -> str | None:
    """Return the region that LiteLLM uses for a Vertex AI deployment without a region."""
    places = (getattr(litellm, "vertex_location", None), *map(os.environ.get, _VERTEX_LOCATIONS))
    return next((place for place in places if isinstance(place, str) and place), None)


async def _litellm_cooldowns(deployment_ids: Sequence[str]) -> Sequence[tuple[str, Mapping[str, object]]]:
    """Return the active cooldowns of the router of the proxy in this process. Without a proxy there are none."""
    cache = getattr(getattr(sys.modules.get(_SERVER), "llm_router", None), "cooldown_cache", None)
    found = await cache.async_get_active_cooldowns(list(deployment_ids), None) if cache is not None else ()
    return [(name, value) for name, value in found if isinstance(value, Mapping)]


def get_callback() -> object:
    """Return the only callback of this process."""
    existing = getattr(sys, _REGISTRY, None)
    if existing is None:
        existing = AlertWorkerCallback()
        setattr(sys, _REGISTRY, existing)
    return existing
