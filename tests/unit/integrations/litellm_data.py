"""The arguments of LiteLLM's hooks, in the shape that a real proxy passes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

KEY_HASH = "a" * 64
STARTED = 1_790_000_000.0


class ProviderError(Exception):
    """Stands for LiteLLM's provider errors: they derive from openai's, and are known by that."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message


ProviderError.__module__ = "openai"


class ContentPolicyViolationError(ProviderError):
    """Stands for LiteLLM's error of that name: the caller's own fault."""


class ProxyException(Exception):
    """Stands for LiteLLM's own error: its status is a string called ``code``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def caller(**fields: Any) -> Any:
    """Return a caller as LiteLLM's ``UserAPIKeyAuth`` has it."""
    known: dict[str, Any] = {
        "api_key": KEY_HASH,
        "key_alias": "search-prod",
        "team_id": "t1",
        "team_alias": "Search",
        "user_id": "u1",
        "user_email": "u1@example.com",
        "end_user_id": None,
        "org_id": "o1",
        "organization_alias": "Org",
        "metadata": {"cost_center": "42", "private": "no"},
        "team_metadata": {"slack": "#search", "private": "no"},
    }
    return SimpleNamespace(**known | fields)


def request(call_id: str = "call-1", **fields: Any) -> dict[str, Any]:
    """Return a request as hooks before and after the call see it."""
    return {
        "litellm_call_id": call_id,
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "the quick brown fox jumps over the lazy dog"}],
        "metadata": {"alerting_metadata": {"run": "7"}, "tags": ["a", "a", "b"]},
        **fields,
    }


def attempt(call_id: str = "call-1", **fields: Any) -> dict[str, Any]:
    """Return the arguments with which LiteLLM calls a deployment."""
    return {
        "litellm_call_id": call_id,
        "model": "azure/gpt-4o-eu",
        "api_key": "raw-provider-secret",
        "api_base": "https://user:pw@eu.example.com/v1?api-key=abc",
        "model_info": {"id": "dep-1"},
        "metadata": {"model_group": "gpt-4o"},
        "messages": [{"role": "user", "content": "the quick brown fox jumps over the lazy dog"}],
        **fields,
    }


def success(call_id: str = "call-1", metadata: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return the keyword arguments of LiteLLM's success log."""
    log = {
        "litellm_call_id": call_id,
        "trace_id": "trace-1",
        "call_type": "acompletion",
        "stream": False,
        "response_cost": 0.0000125,
        "custom_llm_provider": "azure",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "startTime": STARTED,
        "endTime": STARTED + 2,
        "completionStartTime": STARTED + 1,
        "model": "gpt-4o-eu",
        "model_id": "dep-1",
        "model_group": "gpt-4o",
        "api_base": "https://eu.example.com/v1",
        "metadata": {
            "user_api_key_hash": KEY_HASH,
            "usage_object": {"prompt_tokens_details": {"cached_tokens": 3}},
            "requester_metadata": {"alerting_metadata": {"run": "7"}},
        },
        "cache_hit": None,
        "request_tags": ["a", "b"],
        "end_user": "customer-9",
        "messages": [{"role": "user", "content": "the quick brown fox"}],
    } | fields
    request_metadata = {"alerting_metadata": {"run": "7"}} | (metadata or {})
    return {"standard_logging_object": log, "litellm_params": {"metadata": request_metadata}}
