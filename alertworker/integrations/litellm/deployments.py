"""The deployment of an attempt: its provider and region, as LiteLLM itself finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from alertworker.integrations.litellm.coerce import as_mapping, name, url

#: The keys of a deployment's settings that may hold its region. LiteLLM's own key comes before those of providers.
_REGIONS: Final = ("region_name", "aws_region_name", "vertex_location", "watsonx_region_name")
#: The provider whose region can be set for the whole proxy.
_VERTEX: Final = "vertex_ai"
#: The keys that may hold a call's trace id, LiteLLM's first choice first.
TRACES: Final = ("litellm_session_id", "litellm_trace_id")
_REMEMBERED: Final = (
    *TRACES, "model", "model_info", "custom_llm_provider", "api_base", "base_url", "api_key", *_REGIONS,
)  # fmt: skip


def named_provider(model: str, _api_base: str | None) -> str | None:
    """Return the provider in front of a model's name, as in ``azure/gpt-4o``."""
    return model.partition("/")[0] if "/" in model else None


@dataclass(frozen=True, slots=True)
class Deployments:
    """Reads the deployment from what LiteLLM passes to its deployment hooks.

    ``provider_of`` returns the provider of a model and its API base (or ``None``), for a deployment that does not
    set one. It must be cheap and must not raise. ``vertex_location`` is the region of Vertex AI deployments that do
    not set one.
    """

    provider_of: Callable[[str, str | None], str | None] = named_provider
    vertex_location: str | None = None

    def facts(self, attempt: Mapping[str, Any]) -> dict[str, Any]:
        """Return the deployment's fields as events carry them."""
        info = attempt.get("model_info")
        provider = self._provider(attempt)
        facts = {
            "model": name(attempt.get("model")),
            "deployment_id": name(info.get("id")) if isinstance(info, Mapping) else None,
            "provider": provider,
            "api_base": url(attempt.get("api_base") or attempt.get("base_url")),
            "region": self.region(attempt, provider),
        }
        group = name(request_metadata(attempt).get("model_group"))
        if group is not None:
            facts["model_group"] = group
        return facts

    def region(self, attempt: Mapping[str, object], provider: str | None) -> str | None:
        """Return the region of an attempt, whichever provider's key holds it."""
        named = next((region for key in _REGIONS if (region := name(attempt.get(key)))), None)
        return named or (self.vertex_location if provider == _VERTEX else None)

    def _provider(self, attempt: Mapping[str, object]) -> str | None:
        given, model = name(attempt.get("custom_llm_provider")), attempt.get("model")
        if given or not isinstance(model, str):
            return given
        base = attempt.get("api_base") or attempt.get("base_url")
        return name(self.provider_of(model, base if isinstance(base, str) else None))


def needed_fields(attempt: Mapping[str, object]) -> dict[str, object]:
    """Return the part of an attempt that `Deployments` reads. The rest holds the prompt."""
    kept = {key: attempt[key] for key in _REMEMBERED if key in attempt}
    metadata = request_metadata(attempt)
    kept["metadata"] = {key: metadata.get(key) for key in ("model_group", "trace_id", "existing_trace_id")}
    return kept


def request_metadata(request: Mapping[str, object]) -> Mapping[str, object]:
    """Return a request's metadata. Some routes leave ``metadata`` to the caller and use ``litellm_metadata``."""
    own, other = (request.get(key) for key in ("metadata", "litellm_metadata"))
    return {**as_mapping(own), **as_mapping(other)} if own and other else as_mapping(own or other)
