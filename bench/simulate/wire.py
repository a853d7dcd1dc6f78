"""The events of LiteLLM's callback as JSON: the fields that the integration sets, with times in epoch seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from bench.simulate.faults import Error
from bench.simulate.world import Caller, Deployment

#: The name under which LiteLLM's own health checks call a model.
HEALTH_CHECK: Final = "litellm-internal-health-check"


@dataclass(frozen=True, slots=True)
class WireFields:
    """Which optional fields the callback sets; a producer of an earlier version sets none of them.

    A worker that does not know a field ignores it.
    """

    #: On a failed attempt: it is the call's first failure on this deployment.
    first_on_deployment: bool = True
    #: On events that name a deployment: which of the provider's keys it uses.
    credential: bool = True
    #: On events of LiteLLM's own health checks.
    health_check: bool = True


#: Fields that a callback of an earlier version sets.
EARLIER: Final = WireFields(first_on_deployment=False, credential=False, health_check=False)


@dataclass(slots=True)
class Call:
    """One call while it runs. ``failed_on`` are the deployments that failed it by their own fault, in order."""

    call_id: str
    caller: Caller | None
    group: str
    started: float
    stream: bool = False
    deployment: Deployment | None = None
    attempts: int = 0
    #: When the last attempt began.
    tried: float = 0.0
    retries_left: int = 0
    fallbacks: list[str] = field(default_factory=list)
    depth: int = 0
    asked: str = ""
    failed_on: dict[str, Deployment] = field(default_factory=dict)
    announced: bool = False


class Wire:
    """Writes events. Each has the next id, so that two runs with one seed publish the same bytes."""

    def __init__(self, fields: WireFields) -> None:
        self._fields = fields
        self._number = 0
        self._deployments: dict[str, str] = {}
        self._callers: dict[str, str] = {}

    def succeeded(self, call: Call, deployment: Deployment, ended: float, *, cost: int | None) -> str:
        """Return the event of an answered call. Without a cost, its model had a price before."""
        caller = self._caller(call.caller) if call.caller is not None else ""
        spent = '"cost_nanos":0,"cost_failure":"the price is missing"' if cost is None else (
            f'"cost_nanos":{cost}'
        )  # fmt: skip
        detours = self._detours(call) if call.failed_on or call.announced or call.depth else ""
        return (
            f'{{"type":"llm.request.succeeded",{self._base(ended)},{self._call(call, ended)},'
            f'{self._deployment(deployment)}{caller},"prompt_tokens":300,"completion_tokens":120,{spent}{detours}}}'
        )

    def failed(self, call: Call, error: Error, ended: float) -> str:
        """Return the event of a call that failed for good."""
        return self._end("llm.request.failed", call, ended, f',"failure":{_failure(error)}')

    def abandoned(self, call: Call, ended: float, chunks: int) -> str:
        """Return the event of a call whose client went away."""
        return self._end("llm.request.abandoned", call, ended, f',"reason":"disconnected","chunks":{chunks}')

    def attempt_failed(self, call: Call, deployment: Deployment, error: Error, moment: float) -> str:
        """Return the event of a failed attempt; asked before the deployment is added to the call's ``failed_on``."""
        first = ""
        if self._fields.first_on_deployment:
            first = f',"first_on_deployment":{"false" if deployment.id in call.failed_on else "true"}'
        caller = self._caller(call.caller) if call.caller is not None else ""
        return (
            f'{{"type":"llm.attempt.failed",{self._base(moment)},{_identity(call)},{self._deployment(deployment)}{caller},'
            f'"failure":{_failure(error)},"seconds":{moment - call.tried:.3f},"fallback_depth":{call.depth}{first}}}'
        )

    def cooled_down(self, call: Call, deployment: Deployment, error: Error, moment: float, seconds: float) -> str:
        """Return the event of a cooldown that began at a moment."""
        return (
            f'{{"type":"llm.deployment.cooled_down",{self._base(moment)},"call_id":"{call.call_id}",'
            f'{self._deployment(deployment)},"seconds":{seconds},"failure":{_failure(error)}}}'
        )

    def announced(self, call: Call, moment: float, last: float, chunks: int, boot_id: str) -> str:
        """Return the announcement of a call that has made no progress since ``last``."""
        deployment = self._deployment(call.deployment) if call.deployment is not None else ""
        caller = self._caller(call.caller) if call.caller is not None else ""
        return (
            f'{{"type":"llm.request.announced",{self._base(moment)},{_identity(call)},{deployment}{caller},'
            f'"age_seconds":{moment - last:.3f},"last_progress_at":{last:.3f},"chunks":{chunks},"boot_id":"{boot_id}"}}'
        )

    def health_check(self, deployment: Deployment, error: Error | None, moment: float) -> str:
        """Return the event of one of LiteLLM's own checks."""
        marks = f',"key_alias":"{HEALTH_CHECK}","tags":["{HEALTH_CHECK}"]'
        if self._fields.health_check:
            marks += ',"health_check":true'
        head = f'{self._base(moment)},"call_id":"check-{self._number}","started_at":{moment:.3f}'
        if error is None:
            event_type, rest = "llm.request.succeeded", f',"ended_at":{moment:.3f},"cost_nanos":0,"completion_tokens":5'
        else:
            event_type, rest = "llm.attempt.failed", f',"failure":{_failure(error)}'
        return f'{{"type":"{event_type}",{head},{self._deployment(deployment)}{marks}{rest}}}'

    def heartbeat(self, moment: float, facts: dict[str, Any], backlog: int) -> str:
        """Return a publisher's heartbeat."""
        return f'{{"type":"publisher.heartbeat",{self._base(moment)},{_rest(facts)},"backlog":{backlog}}}'

    def stopped(self, moment: float, facts: dict[str, Any]) -> str:
        """Return the event of a clean shutdown."""
        return f'{{"type":"publisher.stopped",{self._base(moment)},{_rest(facts)}}}'

    def _end(self, event_type: str, call: Call, ended: float, rest: str) -> str:
        caller = self._caller(call.caller) if call.caller is not None else ""
        deployment = f",{self._deployment(call.deployment)}" if call.deployment is not None else (
            f',"model":"{call.asked}","model_group":"{call.asked}"'
        )  # fmt: skip
        return (
            f'{{"type":"{event_type}",{self._base(ended)},{self._call(call, ended)}{deployment}{caller}'
            f"{self._detours(call)}{rest}}}"
        )

    def _base(self, moment: float) -> str:
        self._number += 1
        return f'"event_id":"{self._number:032x}","occurred_at":{moment:.3f}'

    @staticmethod
    def _call(call: Call, ended: float) -> str:
        return f'{_identity(call)},"ended_at":{ended:.3f}'

    @staticmethod
    def _detours(call: Call) -> str:
        failed = ",".join(
            f'{{"deployment_id":"{one.id}","provider":"{one.provider}"'
            + (f',"region":"{one.region}"}}' if one.region else "}")
            for one in call.failed_on.values()
        )
        original = f',"original_model_group":"{call.asked}"' if call.depth else ""
        announced = ',"announced":true' if call.announced else ""
        attempts = f',"attempts":{max(1, call.attempts)},"fallbacks":{call.depth}'
        return f'{attempts},"failed_on":[{failed}]{original}{announced}'

    def _deployment(self, one: Deployment) -> str:
        text = self._deployments.get(one.id)
        if text is None:
            facts: dict[str, Any] = {
                "model": one.model,
                "model_group": one.group,
                "deployment_id": one.id,
                "provider": one.provider,
                "region": one.region,
                "api_base": one.api_base,
            }
            if self._fields.credential:
                facts["credential"] = one.credential
            text = self._deployments[one.id] = _rest(facts)
        return text

    def _caller(self, one: Caller) -> str:
        text = self._callers.get(one.key_alias)
        if text is None:
            facts = {
                "key_hash": one.key_hash,
                "key_alias": one.key_alias,
                "team_id": one.team_id,
                "team_alias": one.team_alias,
            }
            text = self._callers[one.key_alias] = "," + _rest(facts)
        return text


def batch_of(events: Iterable[str]) -> bytes:
    """Return the JSON array of some events."""
    return f"[{','.join(events)}]".encode()


def _identity(call: Call) -> str:
    stream = "true" if call.stream else "false"
    return f'"call_id":"{call.call_id}","call_type":"acompletion","stream":{stream},"started_at":{call.started:.3f}'


def _failure(error: Error) -> str:
    return _object(
        {
            "error_class": error.error_class,
            "status_code": error.status,
            "origin": error.origin.value,
            "message": error.message,
        }
    )


def _rest(facts: dict[str, Any]) -> str:
    """Return an object's members without its braces."""
    return _object({name: value for name, value in facts.items() if value is not None})[1:-1]


def _object(facts: dict[str, Any]) -> str:
    return json.dumps(facts, separators=(",", ":"))
