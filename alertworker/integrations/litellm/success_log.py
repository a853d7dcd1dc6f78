"""Reads LiteLLM's success log: the fields of a `RequestSucceeded`, or of a call that its client abandoned."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final

from alertworker.events import AbandonReason
from alertworker.events.llm import UNKNOWN_MODEL
from alertworker.integrations.litellm.budgets import budgets
from alertworker.integrations.litellm.call import HEALTH_CHECK, Call, caller_facts, trace_of
from alertworker.integrations.litellm.coerce import (
    as_mapping,
    cost,
    count,
    credential,
    key_hash,
    moment,
    name,
    tags,
    url,
)
from alertworker.integrations.litellm.excerpts import excerpt
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.prompts import answer_pieces, is_unseen, prompt_pieces
from alertworker.integrations.litellm.scrub import scrub

#: Providers whose models run on the operator's own machines. Without a price they are free.
_SELF_HOSTED: Final = frozenset(
    (
        "docker_model_runner",
        "hosted_vllm",
        "lemonade",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "vllm",
        "xinference",
    )
)


def answered(
    kwargs: Mapping[str, Any], call: Call | None, options: CallbackOptions, prices: Callable[[str], object]
) -> dict[str, Any] | None:
    """Return the event for a success that LiteLLM logged, or ``None`` if the log has no call id.

    ``kwargs`` is what LiteLLM passes to ``async_log_success_event``. LiteLLM also logs a stream that was cut as a
    success, so that the streamed part is paid for; it becomes a `RequestAbandoned`. ``prices`` returns a model's
    entry in LiteLLM's price list.
    """
    log = as_mapping(kwargs.get("standard_logging_object"))
    parameters = as_mapping(kwargs.get("litellm_params"))
    request = as_mapping(parameters.get("metadata"))
    call_id = name(log.get("litellm_call_id")) or name(kwargs.get("litellm_call_id")) or name(log.get("id"))
    if call_id is None:
        return None
    caller = call.caller if call is not None else request.get("user_api_key_auth")
    fields = {"call_id": call_id, **_whom(log, request, caller, options), **_what(log, parameters, request, call)}
    # A client may send this tag, too, but then its call was followed.
    fields["health_check"] = call is None and HEALTH_CHECK in fields["tags"]
    fields |= _when(log, call) | _how_much(log, kwargs, prices)
    fields["budgets"] = budgets(caller, request, fields["customer_id"])
    fields |= _detours(request, call, fields)
    if request.get("client_disconnected") is True:
        chunks = call.chunks if call is not None else 0
        return fields | {
            "type": "llm.request.abandoned", "reason": AbandonReason.DISCONNECTED, "chunks": chunks,
        }  # fmt: skip
    if options.show_messages:
        fields["messages_excerpt"] = excerpt(log.get("messages"))
    return fields | {"type": "llm.request.succeeded", "credential": _credential(parameters, call)}


def failed_call_cost(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cost of a failed call, if LiteLLM reports it. A caller may have put the same fields into its body."""
    usage = request.get("combined_usage_object")
    if usage is None or isinstance(usage, (str, int, float, list, dict)):  # LiteLLM's usage has its own class
        return {}
    spent = cost(request.get("response_cost"))
    if not spent:  # the tokens are then an estimate for a call without an answer
        return {}
    return {
        "cost_nanos": spent,
        "prompt_tokens": count(getattr(usage, "prompt_tokens", None)),
        "completion_tokens": count(getattr(usage, "completion_tokens", None)),
    }


def _whom(log: Mapping[str, Any], request: Mapping[str, Any], caller: Any, options: CallbackOptions) -> dict[str, Any]:
    logged = as_mapping(log.get("metadata"))
    facts = caller_facts(caller, options.metadata_keys) or {
        "key_hash": key_hash(logged.get("user_api_key_hash")),
        "key_alias": name(logged.get("user_api_key_alias")),
        "team_id": name(logged.get("user_api_key_team_id")),
        "team_alias": name(logged.get("user_api_key_team_alias")),
        "user_id": name(logged.get("user_api_key_user_id")),
        "user_email": name(logged.get("user_api_key_user_email")),
        "organization_id": name(logged.get("user_api_key_org_id")),
        "organization_alias": name(logged.get("user_api_key_org_alias")),
    }
    facts["customer_id"] = name(log.get("end_user")) or facts.get("customer_id")
    requester = as_mapping(logged.get("requester_metadata"))
    facts["alerting_metadata"] = request.get("alerting_metadata") or requester.get("alerting_metadata")
    facts["tags"] = tags(log.get("request_tags"))
    return facts


def _what(
    log: Mapping[str, Any], parameters: Mapping[str, Any], request: Mapping[str, Any], call: Call | None
) -> dict[str, Any]:
    provider, region = name(log.get("custom_llm_provider")), name(parameters.get("region_name"))
    if region is None and call is not None:
        region = call.terms.deployments.region(call.deployment, provider)
    return {
        "trace_id": trace_of(request, log.get("trace_id")),
        "call_type": name(log.get("call_type")),
        "stream": bool(log.get("stream")),
        "model": name(log.get("model")),
        "model_group": name(log.get("model_group")),
        "deployment_id": name(log.get("model_id")),
        "provider": provider,
        "api_base": url(log.get("api_base")),
        "region": region,
    }


def _credential(parameters: Mapping[str, Any], call: Call | None) -> str | None:
    """Return the deployment's own credential, ``None`` if the client brought one or the call was not followed."""
    if call is None or call.brings_key:
        return None
    return credential(call.deployment.get("api_key") or parameters.get("api_key"))


def _when(log: Mapping[str, Any], call: Call | None) -> dict[str, Any]:
    """Return the call's times, from the client's request on. LiteLLM counts from the last attempt."""
    ended_at = moment(log.get("endTime")) or moment(time.time())
    started_at = moment(call.started) if call is not None else moment(log.get("startTime")) or ended_at
    times = {"started_at": started_at, "ended_at": ended_at, "occurred_at": ended_at}
    if log.get("stream"):
        first = call.first_chunk if call is not None else None
        times["first_token_at"] = moment(first or log.get("completionStartTime"))
        times["last_chunk_at"] = moment(call.last_chunk) if call is not None else None
    return times


def _how_much(log: Mapping[str, Any], kwargs: Mapping[str, Any], prices: Callable[[str], object]) -> dict[str, Any]:
    usage = as_mapping(as_mapping(log.get("metadata")).get("usage_object"))
    cached = as_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")
    dollars = log.get("response_cost") if log else kwargs.get("response_cost")
    spent = cost(dollars)
    reason = _why_unpriced(log, kwargs) or _why_free(log.get("zero_cost_diagnostic"))
    if dollars is not None and spent is None:
        reason = (
            f"LiteLLM's cost is {dollars}, which is not an amount"
            if isinstance(dollars, (int, float))
            else "not a number"
        )
    if reason is None and spent == 0 and not log.get("cache_hit"):
        reason = _lacking_price(log, prices)
    return {
        "prompt_tokens": count(log.get("prompt_tokens")),
        "completion_tokens": count(log.get("completion_tokens")),
        "cached_tokens": count(cached),
        "cache_hit": log.get("cache_hit") is True,
        "cost_nanos": spent,
        "cost_failure": scrub(reason, ()) if reason is not None else None,
    }


def _why_unpriced(log: Mapping[str, Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the error of LiteLLM's cost calculation, which may repeat the prompt and the model's answer."""
    error = as_mapping(log.get("response_cost_failure_debug_info")).get("error_str")
    if not isinstance(error, str):
        return None
    logged = {"messages": log.get("messages")}
    texts = chain(prompt_pieces(kwargs), prompt_pieces(logged), answer_pieces(log.get("response")))
    return scrub(error, texts, unseen=is_unseen(kwargs, log.get("call_type")))


def _why_free(diagnostic: object) -> str | None:
    """Return why LiteLLM charged 0 for tokens that have a price elsewhere. A model whose price is 0 has no reason."""
    reason = as_mapping(diagnostic).get("reason")
    if not isinstance(reason, str):
        return None
    missing = as_mapping(diagnostic).get("missing_pricing_keys")
    keys = f": {', '.join(map(str, missing))}" if isinstance(missing, (list, tuple)) and missing else ""
    return f"{reason}{keys}"


def _lacking_price(log: Mapping[str, Any], prices: Callable[[str], object]) -> str | None:
    """Return why a call without a price was charged 0.

    LiteLLM's log does not report this, and 0 may be a real price.
    """
    if log.get("custom_llm_provider") in _SELF_HOSTED:
        return None
    known = as_mapping(as_mapping(log.get("model_map_information")).get("model_map_value"))
    entry = as_mapping(prices(str(known.get("key"))))
    if any("cost" in field and value is not None for field, value in entry.items()):
        return None
    if not entry:
        return f"{UNKNOWN_MODEL}: set one, or 0, in its model_info"
    return "LiteLLM's list has this model without a price: set one, or 0, in its model_info"


def _detours(request: Mapping[str, Any], call: Call | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    if call is not None:
        return call.retry_fields()
    fallbacks, original = count(request.get("attempted_fallbacks")), name(request.get("original_model_group"))
    return {
        "attempts": count(request.get("attempted_retries")) + 1,
        "fallbacks": fallbacks,
        "original_model_group": original if original != fields["model_group"] else None,
    }
