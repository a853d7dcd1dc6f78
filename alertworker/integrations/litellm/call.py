"""A running call and its known facts, without a reference to its prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from alertworker.integrations.litellm.budgets import budgets
from alertworker.integrations.litellm.coerce import key_hash, moment, name, tags
from alertworker.integrations.litellm.deployments import TRACES, Deployments
from alertworker.integrations.litellm.metadata import pick

#: The tag of LiteLLM's own health checks.
HEALTH_CHECK: Final = "litellm-internal-health-check"
#: The maximum number of failed deployments that the end of a call names.
_MAX_FAILED_ON = 16


@dataclass(frozen=True, slots=True)
class Terms:
    """Settings of every call: the keys of metadata that may leave the proxy, and the reader of deployments."""

    metadata_keys: tuple[str, ...]
    deployments: Deployments


@dataclass(slots=True)
class Call:
    """A call from the pre-call hook to its end. Times are POSIX seconds.

    ``caller`` is LiteLLM's ``UserAPIKeyAuth``. ``deployment`` holds the last attempt's deployment, and is empty
    before the first attempt. It includes the deployment's key, so that errors can be masked. ``trying`` is true from
    the start of an attempt until LiteLLM reports its failure. ``tried`` is that start. ``answered`` is true once the
    answer is complete and only LiteLLM's success log is outstanding. ``announced`` is true if the call had hung before
    that. ``failed_on`` maps the ids of the deployments that failed this call to their fields.
    """

    call_id: str
    started: float
    caller: Any
    requested_model: object
    call_type: object
    stream: bool
    alerting_metadata: object
    tags: object
    #: The client sent an API key for the provider with its request.
    brings_key: bool
    terms: Terms
    deployment: dict[str, Any] = field(default_factory=dict, repr=False)
    failed_on: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: int = 0
    fallbacks: int = 0
    trying: bool = False
    tried: float = 0.0
    first_chunk: float | None = None
    last_chunk: float | None = None
    chunks: int = 0
    answered: bool = False
    announced: bool = False
    ended: bool = False

    def describe(self) -> dict[str, Any]:
        """Return the fields that all events of this call share."""
        return {
            "call_id": self.call_id,
            "trace_id": trace_of(self.deployment.get("metadata") or {}, *map(self.deployment.get, TRACES)),
            "started_at": moment(self.started),
            "call_type": name(self.call_type),
            "stream": self.stream,
            "model": name(self.requested_model),
            "model_group": name(self.requested_model),
            "tags": tags(self.tags),
            "alerting_metadata": self.alerting_metadata,
            **caller_facts(self.caller, self.terms.metadata_keys),
            **(self.terms.deployments.facts(self.deployment) if self.deployment else {}),
        }

    def end(self) -> dict[str, Any]:
        """Return the fields that all end events share, for a call that did not reach LiteLLM's success log."""
        fields = self.describe() | {"ended_at": moment(time.time()), **self.retry_fields()}
        return fields | {"budgets": budgets(self.caller, {}, fields.get("customer_id"))}

    def retry_fields(self) -> dict[str, Any]:
        """Return the numbers of attempts and fallbacks, the failed deployments and, after a fallback, the requested
        model.
        """
        return {
            "attempts": max(1, self.attempts),
            "fallbacks": self.fallbacks,
            "original_model_group": name(self.requested_model) if self.fallbacks else None,
            "failed_on": tuple(self.failed_on.values()),
        }

    def record_failure_on(self, deployment: Mapping[str, Any]) -> bool | None:
        """Record that a deployment failed this call. ``deployment`` holds the fields that events carry.

        Return whether this is the deployment's first failure in this call, or ``None`` if its id is not known.
        """
        deployment_id = deployment["deployment_id"]
        if deployment_id is None:
            return None
        if deployment_id in self.failed_on:
            return False
        if len(self.failed_on) < _MAX_FAILED_ON:
            self.failed_on[deployment_id] = {key: deployment[key] for key in ("deployment_id", "provider", "region")}
        return True


def trace_of(metadata: Mapping[str, Any], *given: object) -> str | None:
    """Return the id of the call's trace in Langfuse: the caller's own if there is one, else the first of ``given``."""
    named = metadata.get("existing_trace_id") or metadata.get("trace_id")
    return name(named or next((value for value in given if value), None))


def caller_facts(caller: Any, metadata_keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the names of a call's owners from LiteLLM's ``UserAPIKeyAuth``, or nothing for ``None``."""
    if caller is None:
        return {}
    facts: dict[str, Any] = {
        "key_hash": key_hash(getattr(caller, "api_key", None)),
        "key_alias": name(getattr(caller, "key_alias", None)),
        "team_id": name(getattr(caller, "team_id", None)),
        "team_alias": name(getattr(caller, "team_alias", None)),
        "user_id": name(getattr(caller, "user_id", None)),
        "user_email": name(getattr(caller, "user_email", None)),
        "customer_id": name(getattr(caller, "end_user_id", None)),
        "organization_id": name(getattr(caller, "org_id", None)),
        "organization_alias": name(getattr(caller, "organization_alias", None)),
    }
    if metadata_keys:
        facts["team_metadata"] = pick(getattr(caller, "team_metadata", None), metadata_keys)
        facts["key_metadata"] = pick(getattr(caller, "metadata", None), metadata_keys)
    return facts
