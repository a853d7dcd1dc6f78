"""Turns the calls of LiteLLM's hooks into events. Knows LiteLLM's data, and imports nothing of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from alertworker.events import AbandonReason, Origin
from alertworker.integrations.litellm.audit import entity_changed
from alertworker.integrations.litellm.budgets import budgets, with_refusal
from alertworker.integrations.litellm.call import HEALTH_CHECK, Call, Terms, caller_facts, trace_of
from alertworker.integrations.litellm.coerce import count, credential, moment, name, tags
from alertworker.integrations.litellm.cooldowns import CooldownWatch
from alertworker.integrations.litellm.deployments import TRACES, Deployments, needed_fields, request_metadata
from alertworker.integrations.litellm.event_publisher import EventPublisher
from alertworker.integrations.litellm.excerpts import request_excerpt
from alertworker.integrations.litellm.failure import CLIENT_GONE, blame_client, describe, status_code
from alertworker.integrations.litellm.options import CallbackOptions, seconds
from alertworker.integrations.litellm.outgoing import can_alert, outgoing
from alertworker.integrations.litellm.success_log import answered, failed_call_cost

#: How long after the end of its request's task a call may still be logged, in seconds, before it counts as abandoned.
GRACE: Final = 5.0
#: The same for a call whose answer was complete: LiteLLM's log of it is then only late.
GRACE_ANSWERED: Final = 60.0
#: How often the threshold is read again, in seconds: LiteLLM may reload its configuration.
_THRESHOLD_PERIOD: Final = 30.0
_DEFAULT_THRESHOLD: Final = 300.0
#: How many calls are followed at once. A proxy process cannot run more.
_MAX_CALLS: Final = 100_000
#: How many ended calls are remembered, so that an end reported twice is published once.
_MAX_ENDED: Final = 10_000


class Recorder:
    """Follows each call from its pre-call hook to its only end. Every method runs on the proxy's event loop.

    The recorder publishes raw fields. The publisher's thread removes secrets from them before an event leaves the
    process.

    ``threshold`` returns LiteLLM's own ``alerting_threshold``, or ``None`` if it is not set. ``prices`` returns a
    model's entry in LiteLLM's price list. ``deployments`` reads the deployment of an attempt.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        options: CallbackOptions,
        *,
        threshold: Callable[[], object] = lambda: None,
        grace: tuple[float, float] = (GRACE, GRACE_ANSWERED),
        cooldowns: CooldownWatch | None = None,
        prices: Callable[[str], object] = lambda _name: {"input_cost_per_token": 0},
        deployments: Deployments | None = None,
    ) -> None:
        self._publisher = publisher
        publisher.prepare = outgoing
        self._options = options
        self._terms = Terms(options.metadata_keys, deployments or Deployments())
        self._threshold = threshold
        self._grace, self._grace_answered = grace
        self._cooldowns = cooldowns
        self._prices = prices
        self._next_threshold = 0.0
        self._calls: dict[str, Call] = {}
        self._ended: dict[str, None] = {}

    def started(self, request: Mapping[str, Any], caller: Any, call_type: object) -> None:
        """Start following a call. Some routes report the start twice."""
        call_id = name(request.get("litellm_call_id"))
        if call_id is None or call_id in self._calls or len(self._calls) >= _MAX_CALLS:
            return
        self._read_threshold()
        details = request_metadata(request)
        call = Call(
            call_id=call_id,
            started=time.time(),
            caller=caller,
            requested_model=request.get("model"),
            call_type=call_type,
            stream=request.get("stream") is True,
            alerting_metadata=details.get("alerting_metadata"),
            tags=details.get("tags"),
            brings_key=request.get("api_key") is not None,
            terms=self._terms,
        )
        self._calls[call_id] = call
        self._ended.pop(call_id, None)  # a client may choose the id and use it again
        self._publisher.inflight.start(call_id, call.describe)
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(partial(self._task_ended, call))

    def attempt_started(self, attempt: Mapping[str, Any]) -> None:
        """Record an attempt on a deployment. LiteLLM's nested calls report one attempt twice."""
        call = self._calls.get(name(attempt.get("litellm_call_id")) or "")
        if call is not None and not call.trying:
            call.trying, call.tried = True, time.time()
            call.attempts += 1
            call.fallbacks = max(call.fallbacks, count(attempt.get("fallback_depth")))
            call.deployment = needed_fields(attempt)

    def attempt_failed(
        self, attempt: Mapping[str, Any], error: BaseException, fallback_depth: int | None, call_type: object = None
    ) -> None:
        """Publish the failure of one attempt on one deployment."""
        call_id = name(attempt.get("litellm_call_id"))
        call = self._calls.get(call_id or "")
        if call_id is None or (call is not None and not call.trying):
            return
        shared = call.describe() if call is not None else self._unfollowed(call_id, attempt, None)
        key = attempt.get("api_key")
        failure = describe(error, attempt, attempted=True, key=key, call_type=call_type)
        fields = shared | self._terms.deployments.facts(attempt)
        self._attempt_failed(call, fields, failure, fallback_depth or 0, key)

    def succeeded(self, kwargs: Mapping[str, Any]) -> None:
        """Publish an answered call, from LiteLLM's success log."""
        log = kwargs.get("standard_logging_object")
        call_id = log.get("litellm_call_id") if isinstance(log, Mapping) else kwargs.get("litellm_call_id")
        call = self._calls.get(name(call_id) or "")
        event = answered(kwargs, call, self._options, self._prices)
        if event is not None:
            self._end(event["call_id"], event)

    def failed(self, request: Mapping[str, Any], error: BaseException, caller: Any) -> None:
        """Publish a failed call, also a call that was refused before it was recorded."""
        call_id = name(request.get("litellm_call_id"))
        call = self._calls.get(call_id or "")
        if call_id is None or (call is None and call_id in self._ended):
            return
        gone = status_code(error) == CLIENT_GONE
        attempted = call is not None and call.attempts > 0
        key = call.deployment.get("api_key") if call is not None else None
        call_type = call.call_type if call is not None else None
        failure = describe(error, request, attempted=attempted, started=call is not None, key=key, call_type=call_type)
        if call is not None and call.brings_key:
            blame_client(failure)
        if call is not None and call.trying and not call.answered and not gone and failure["origin"] is Origin.PROVIDER:
            # A stream broke off: LiteLLM does not report a failed attempt then.
            self._attempt_failed(call, call.describe(), failure, call.fallbacks, key)
        fields = call.end() if call is not None else self._unfollowed(call_id, request, caller)
        if gone:
            self._abandon(fields, AbandonReason.DISCONNECTED, call.chunks if call is not None else 0)
            return
        fields["budgets"] = with_refusal(error, fields["budgets"], caller)
        if self._options.show_messages:
            fields["messages_excerpt"] = request_excerpt(request)
        self._end(call_id, {
            **fields,
            **(failed_call_cost(request) if call is not None else {}),
            "type": "llm.request.failed",
            "occurred_at": fields["ended_at"],
            "failure": failure,
        })  # fmt: skip

    def chunk(self, request: Mapping[str, Any]) -> None:
        """Record the arrival of a chunk of a call's stream."""
        call = self._calls.get(name(request.get("litellm_call_id")) or "")
        if call is None:
            return
        call.last_chunk = time.time()
        call.chunks += 1
        if call.first_chunk is None:
            call.first_chunk = call.last_chunk
        self._publisher.inflight.progress(call.call_id)

    def changed(self, entry: Mapping[str, Any]) -> None:
        """Publish a change, from an entry of LiteLLM's audit log."""
        event = entity_changed(entry)
        if event is not None:
            self._publisher.publish(event)

    def answer_complete(self, request: Mapping[str, Any]) -> None:
        """Record that a call's answer is complete: the call cannot hang any more, and its success log will follow."""
        call = self._calls.get(name(request.get("litellm_call_id")) or "")
        if call is not None and not call.answered:
            call.answered = True
            call.announced = self._publisher.inflight.finish(call.call_id)

    def _attempt_failed(
        self, call: Call | None, fields: dict[str, Any], failure: dict[str, Any], fallback_depth: int, key: object
    ) -> None:
        first, brings_key, took, now = None, False, None, time.time()
        if call is not None:
            took = max(0.0, now - call.tried) if call.tried else None
            call.trying = False
            brings_key = call.brings_key
            if brings_key:
                blame_client(failure)
            if failure["origin"] is Origin.PROVIDER:
                first = call.record_failure_on(fields)
        self._publisher.publish({
            **fields,
            "type": "llm.attempt.failed",
            "occurred_at": moment(now),
            "failure": failure,
            "seconds": took,
            "fallback_depth": max(0, fallback_depth),
            "first_on_deployment": first,
            "credential": None if brings_key else credential(key),
        })  # fmt: skip
        if self._cooldowns is not None:
            self._cooldowns.failed(fields, failure)

    def _unfollowed(self, call_id: str, request: Mapping[str, Any], caller: Any) -> dict[str, Any]:
        """Return the fields of a call without a pre-call hook: a refused call, or a health check."""
        now: datetime | None = moment(time.time())
        details = request_metadata(request)
        return {
            "call_id": call_id,
            "trace_id": trace_of(details, *map(request.get, TRACES)),
            "alerting_metadata": details.get("alerting_metadata"),
            "started_at": moment(request.get("start_time")) or now,
            "ended_at": now,
            "model": name(request.get("model")),
            "model_group": name(request.get("model")),
            "stream": request.get("stream") is True,
            "health_check": HEALTH_CHECK in tags(details.get("tags")),
            **caller_facts(caller, self._options.metadata_keys),
            "budgets": budgets(caller, {}, None),
        }

    def _end(self, call_id: str, event: dict[str, Any]) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.ended = True
            self._ended[call_id] = None
            if len(self._ended) > _MAX_ENDED:
                del self._ended[next(iter(self._ended))]
        announced = self._publisher.inflight.finish(call_id)
        event["announced"] = announced or (call is not None and call.announced)
        if not can_alert(event, self._publisher.threshold_seconds):
            event.pop("alerting_metadata", None)
        self._publisher.publish(event)

    def _abandon(self, fields: dict[str, Any], reason: AbandonReason, chunks: int) -> None:
        event = fields | {
            "type": "llm.request.abandoned",
            "occurred_at": fields["ended_at"],
            "reason": reason,
            "chunks": chunks,
        }
        self._end(fields["call_id"], event)

    def _task_ended(self, call: Call, task: asyncio.Task[Any]) -> None:
        """Wait for the log of a call whose task has ended. A call that is never logged was abandoned."""
        if call.ended:
            return
        loop = task.get_loop()
        if not loop.is_closed():
            grace = self._grace_answered if call.answered else self._grace
            loop.call_later(grace, self._give_up, call, time.time(), task.cancelled())

    def _give_up(self, call: Call, ended: float, cancelled: bool) -> None:  # noqa: FBT001 - call_later passes positions
        if call.ended:
            return
        if call.answered:  # LiteLLM never logged it; only an alert about a hanging call needs its end
            self._end_unlogged(call)
            return
        reason = AbandonReason.CANCELLED if cancelled else AbandonReason.DISCONNECTED
        self._abandon(call.end() | {"ended_at": moment(ended)}, reason, call.chunks)

    def _end_unlogged(self, call: Call) -> None:
        event = call.end() | {"type": "llm.request.succeeded", "cost_failure": "LiteLLM did not log this call"}
        if call.announced:
            self._end(call.call_id, event)
        else:
            self._calls.pop(call.call_id, None)

    def _read_threshold(self) -> None:
        now = time.monotonic()
        if now < self._next_threshold:
            return
        self._next_threshold = now + _THRESHOLD_PERIOD
        own = self._options.threshold_seconds
        self._publisher.threshold_seconds = own or seconds(self._threshold()) or _DEFAULT_THRESHOLD
