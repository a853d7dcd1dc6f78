"""From hooks to events: each call has one end."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from alertworker.events import Origin
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.litellm_data import (
    KEY_HASH,
    ContentPolicyViolationError,
    ProviderError,
    ProxyException,
    attempt,
    caller,
    request,
    success,
)
from tests.unit.integrations.recording import RecordingPublisher


@pytest.fixture
def publisher() -> RecordingPublisher:
    """Return a publisher that keeps events."""
    return RecordingPublisher()


def recorder(publisher: RecordingPublisher, **options: Any) -> Recorder:
    """Return a recorder that takes no call for abandoned while a test runs."""
    return Recorder(publisher, CallbackOptions(**options), grace=(60, 60))


def impatient(publisher: RecordingPublisher) -> Recorder:
    """Return a recorder whose patience with abandoned calls is a moment."""
    return Recorder(publisher, CallbackOptions(), grace=(0.02, 0.2))


def in_loop(act: Callable[[], Any]) -> None:
    """Run hooks as a proxy does: on an event loop, in the task of a request that goes on."""

    async def request_task() -> None:
        act()

    asyncio.run(request_task())


def test_a_success_carries_what_alerting_and_the_ledger_need(publisher: RecordingPublisher) -> None:
    """A success has the call, caller, deployment, tokens, cost and times. Times begin with the client's request."""
    hooks = recorder(publisher, metadata_keys=("slack", "cost_center"))

    def act() -> None:
        hooks.started(
            request(), caller(spend=1.0, max_budget=10.0, soft_budget=8.0, budget_duration="30d"), "acompletion"
        )
        hooks.attempt_started(attempt())
        hooks.succeeded(success())

    in_loop(act)
    (event,) = publisher.events
    assert event.type == "llm.request.succeeded"
    assert (event.call_id, event.trace_id, event.model_group, event.deployment_id) == (
        "call-1",
        "trace-1",
        "gpt-4o",
        "dep-1",
    )
    assert (event.key_hash, event.team_alias, event.customer_id) == (KEY_HASH, "Search", "customer-9")
    assert (event.prompt_tokens, event.completion_tokens, event.cached_tokens) == (10, 5, 3)
    assert (event.cost_nanos, event.tags, event.alerting_metadata) == (12_500, ("a", "b"), {})
    assert (event.team_metadata, event.key_metadata) == ({"slack": "#search"}, {"cost_center": "42"})
    (budget,) = event.budgets
    assert (budget.scope, budget.spend_nanos, budget.max_nanos, budget.soft_nanos) == (
        "key", 1_000_000_000, 10_000_000_000, 8_000_000_000,
    )  # fmt: skip
    assert event.messages_excerpt is None
    assert publisher.inflight.describes == {}


def test_messages_leave_only_where_switched_on(publisher: RecordingPublisher) -> None:
    """The excerpt is for operators who asked for it."""
    hooks = recorder(publisher, show_messages=True)
    in_loop(lambda: hooks.succeeded(success()))
    assert publisher.events[0].messages_excerpt == "user: the quick brown fox"


def test_a_failure_after_attempts_names_the_deployment_and_scrubs(publisher: RecordingPublisher) -> None:
    """Each attempt is published, then the failure; neither shows the prompt or the deployment's key."""
    hooks = recorder(publisher)
    error = ProviderError(500, "raw-provider-secret said: quick brown fox jumps")

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        for _ in range(2):
            hooks.attempt_started(attempt())
            hooks.attempt_failed(attempt(), error, None)
        hooks.failed(request(), error, caller())

    in_loop(act)
    assert [event.type for event in publisher.events] == [
        "llm.attempt.failed", "llm.attempt.failed", "llm.request.failed",
    ]  # fmt: skip
    failed = publisher.events[-1]
    assert (failed.deployment_id, failed.provider, failed.attempts) == ("dep-1", "azure", 2)
    assert failed.api_base == "https://eu.example.com/v1"
    assert failed.failure.origin == Origin.PROVIDER
    assert {event.failure.message for event in publisher.events} == {"[removed] said:[removed]"}


def test_a_failed_attempt_says_how_long_it_took(publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker then knows whether the attempt began before the deployment recovered."""
    hooks, now = recorder(publisher), [1_790_000_000.0]
    monkeypatch.setattr("time.time", lambda: now[0])

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        for seconds in (600.0, 2.0):
            hooks.attempt_started(attempt())
            now[0] += seconds
            hooks.attempt_failed(attempt(), ProviderError(500, "no"), None)

    in_loop(act)
    assert [event.seconds for event in publisher.events if event.type == "llm.attempt.failed"] == [600.0, 2.0]


def test_a_failed_call_names_its_trace(publisher: RecordingPublisher) -> None:
    """LiteLLM's router makes it up once it routes; what the caller names goes before that."""
    hooks = recorder(publisher)
    routed = attempt(litellm_trace_id="made-up")

    def act() -> None:
        for call_id, named in (("call-1", {}), ("call-2", {"trace_id": "named"})):
            tried = routed | {"litellm_call_id": call_id, "metadata": routed["metadata"] | named}
            hooks.started(request(call_id), caller(), "acompletion")
            hooks.attempt_started(tried)
            hooks.attempt_failed(tried, ProviderError(500, "no"), None)
            hooks.failed(request(call_id), ProviderError(500, "no"), caller())

    in_loop(act)
    assert [event.trace_id for event in publisher.events] == ["made-up", "made-up", "named", "named"]


def test_a_stream_that_breaks_off_is_a_failed_attempt(publisher: RecordingPublisher) -> None:
    """LiteLLM reports the call's end only. An error after the whole answer is not the deployment's."""
    hooks = recorder(publisher)

    def act() -> None:
        for call_id in ("call-1", "call-2"):
            hooks.started(request(call_id, stream=True), caller(), "acompletion")
            hooks.attempt_started(attempt(call_id))
            hooks.chunk(request(call_id))
        hooks.failed(request("call-1"), ProviderError(500, "the stream was cut"), caller())
        hooks.answer_complete(request("call-2"))
        hooks.failed(request("call-2"), ProviderError(500, "a hook of the operator's own"), caller())

    in_loop(act)
    assert [(event.type, event.call_id) for event in publisher.events] == [
        ("llm.attempt.failed", "call-1"),
        ("llm.request.failed", "call-1"),
        ("llm.request.failed", "call-2"),
    ]
    assert [len(event.failed_on) for event in publisher.events[1:]] == [1, 0]


@pytest.mark.parametrize(
    ("fields", "unpriced"),
    [
        ({"model_map_information": {"model_map_value": {"key": "openai/mystery", "input_cost_per_token": 0}}}, True),
        ({"model_map_information": {"model_map_key": "x", "model_map_value": None}}, True),
        ({"model_map_information": {"model_map_value": {"key": "free"}}}, False),
        ({"model_map_information": {"model_map_value": None}, "custom_llm_provider": "ollama"}, False),
        ({"model_map_information": {"model_map_value": None}, "cache_hit": True}, False),
        ({"model_map_information": {"model_map_value": None}, "response_cost": 0.1}, False),
    ],
)
def test_a_call_without_a_known_price_is_published_with_the_reason(
    publisher: RecordingPublisher, fields: dict[str, Any], *, unpriced: bool
) -> None:
    """LiteLLM fills in 0 where its price list has nothing; a price of 0, and one's own machines, are free."""
    prices = {"openai/mystery": {"mode": "chat"}, "free": {"input_cost_per_token": 0.0}}
    hooks = Recorder(publisher, CallbackOptions(), prices=prices.get)
    in_loop(lambda: hooks.succeeded(success(**({"response_cost": 0.0} | fields))))

    (event,) = publisher.events
    assert (event.cost_failure is not None) is unpriced


def test_the_end_names_the_deployments_that_failed_the_call(publisher: RecordingPublisher) -> None:
    """A call names each deployment once, with its region. It names none if the call itself was at fault."""
    hooks = recorder(publisher)
    eu, us = attempt(region_name="eu"), attempt(model_info={"id": "dep-2"})

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        for tried, error in ((eu, 503), (eu, 503), (us, 400), (attempt(model_info={"id": "dep-3"}), None)):
            hooks.attempt_started(tried)
            if error is not None:
                error_class = ContentPolicyViolationError if error == 400 else ProviderError
                hooks.attempt_failed(tried, error_class(error, "no"), None)
        hooks.succeeded(success())

    in_loop(act)
    assert [failed.model_dump() for failed in publisher.events[-1].failed_on] == [
        {"deployment_id": "dep-1", "provider": "azure", "region": "eu"}
    ]


def test_a_retry_on_the_same_deployment_is_not_a_second_failed_call(publisher: RecordingPublisher) -> None:
    """An outage counts calls: of six attempts of two calls on one deployment, two are first failures."""
    hooks = recorder(publisher)
    other = attempt(model_info={"id": "dep-2"})

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        for tried in (attempt(), attempt(), other, other):
            hooks.attempt_started(tried)
            hooks.attempt_failed(tried, ProviderError(500, "no"), None)
        hooks.attempt_failed(attempt("health check"), ProviderError(500, "no"), None)

    in_loop(act)
    assert [event.first_on_deployment for event in publisher.events] == [True, False, True, False, None]


def test_a_deployment_s_key_is_named_by_a_digest(publisher: RecordingPublisher) -> None:
    """A revoked key is one incident, however many deployments use it."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.attempt_started(attempt())
        hooks.attempt_failed(attempt(), ProviderError(401, "Incorrect API key"), None)

    in_loop(act)
    (event,) = publisher.events
    assert event.credential == hashlib.sha256(b"raw-provider-secret").hexdigest()[:12]
    assert event.failure.origin is Origin.PROVIDER
    assert "raw-provider-secret" not in event.model_dump_json()


def test_a_key_that_the_client_brings_is_the_client_s_problem(publisher: RecordingPublisher) -> None:
    """The provider's refusal is not the deployment's failure. Other failures are."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(api_key="sk-the-client-s"), caller(), "acompletion")
        for status in (401, 500):
            hooks.attempt_started(attempt(api_key="sk-the-client-s"))
            hooks.attempt_failed(attempt(api_key="sk-the-client-s"), ProviderError(status, "no"), None)

    in_loop(act)
    assert [(event.credential, event.failure.origin) for event in publisher.events] == [
        (None, Origin.CALLER),
        (None, Origin.PROVIDER),
    ]


def test_a_call_with_a_refused_key_of_its_own_is_the_clients_problem(publisher: RecordingPublisher) -> None:
    """Its end has the same failure as its attempt, so no channel is notified of it."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(api_key="sk-the-client-s"), caller(), "acompletion")
        hooks.attempt_started(attempt(api_key="sk-the-client-s"))
        hooks.attempt_failed(attempt(api_key="sk-the-client-s"), ProviderError(401, "no"), None)
        hooks.failed(request(), ProviderError(401, "no"), caller())

    in_loop(act)
    assert [event.failure.origin for event in publisher.events] == [Origin.CALLER, Origin.CALLER]


@pytest.mark.parametrize(("brought", "expected"), [(None, True), ("sk-the-client-s", False)])
def test_an_answer_names_the_deployment_s_key(
    publisher: RecordingPublisher, brought: str | None, expected: bool
) -> None:
    """A key that the provider accepts is not revoked. A client's own key proves nothing about the deployment's."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(**({"api_key": brought} if brought else {})), caller(), "acompletion")
        hooks.attempt_started(attempt())
        hooks.succeeded(success())

    in_loop(act)
    (event,) = publisher.events
    known = hashlib.sha256(b"raw-provider-secret").hexdigest()[:12]
    assert event.credential == (known if expected else None)
    assert "raw-provider-secret" not in event.model_dump_json()


def test_litellm_s_health_checks_are_marked(publisher: RecordingPublisher) -> None:
    """They have a tag and no client's request. A client that sends the tag makes no health check."""
    hooks = recorder(publisher)
    tagged = {"tags": ["litellm-internal-health-check"], "model_group": "gpt-4o"}

    def act() -> None:
        hooks.attempt_failed(attempt("check", metadata=tagged), ProviderError(500, "no"), None)
        hooks.succeeded(success("check", request_tags=tagged["tags"]))
        hooks.started(request(metadata=tagged), caller(), "acompletion")
        hooks.attempt_started(attempt(metadata=tagged))
        hooks.attempt_failed(attempt(metadata=tagged), ProviderError(500, "no"), None)
        hooks.succeeded(success(request_tags=tagged["tags"]))

    in_loop(act)
    assert [event.health_check for event in publisher.events] == [True, True, False, False]


def test_a_nested_attempt_is_published_once(publisher: RecordingPublisher) -> None:
    """LiteLLM's nested wrappers report one attempt twice."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(), caller(), "atext_completion")
        hooks.attempt_started(attempt())
        hooks.attempt_started(attempt())
        hooks.attempt_failed(attempt(), ProviderError(500, "no"), None)
        hooks.attempt_failed(attempt(), ProviderError(500, "no"), None)

    in_loop(act)
    assert len(publisher.events) == 1


def test_a_fallback_names_the_requested_model_group(publisher: RecordingPublisher) -> None:
    """After a fallback, the event names the model group that the client asked for."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.attempt_started(attempt())
        hooks.attempt_failed(attempt(), ProviderError(500, "no"), None)
        hooks.attempt_started(attempt(fallback_depth=1, metadata={"model_group": "backup"}))
        hooks.succeeded(success(model_group="backup"))

    in_loop(act)
    ended = publisher.events[-1]
    assert (ended.model_group, ended.original_model_group, ended.fallbacks, ended.attempts) == (
        "backup",
        "gpt-4o",
        1,
        2,
    )


def test_a_rejected_caller_does_not_count_for_a_deployment(publisher: RecordingPublisher) -> None:
    """An authentication failure carries no deployment, although LiteLLM stamps one on it."""
    hooks = recorder(publisher)
    stamped = request(
        model_info={"id": "dep-1"}, standard_logging_object={"model_id": "dep-1", "api_base": "https://x"}
    )
    in_loop(lambda: hooks.failed(stamped, ProxyException("401", "bad key"), caller(api_key="raw key of a caller")))
    (event,) = publisher.events
    assert (event.failure.origin, event.failure.status_code) == (Origin.CALLER, 401)
    assert (event.deployment_id, event.provider, event.api_base) == (None, None, None)
    assert event.key_hash is not None
    assert "raw" not in event.key_hash


def test_a_rejected_call_shows_the_metadata_its_caller_selected(publisher: RecordingPublisher) -> None:
    """Also where the proxy's own database turned it away before it was followed."""
    hooks = recorder(publisher)
    in_loop(lambda: hooks.failed(request(litellm_trace_id="t1"), ProxyException("500", "no database"), caller()))

    (event,) = publisher.events
    assert (event.alerting_metadata, event.trace_id) == ({"run": "7"}, "t1")


def test_a_repeated_failure_ends_an_announced_call_once(publisher: RecordingPublisher) -> None:
    """An end says whether the call had been announced."""
    hooks = recorder(publisher)
    publisher.inflight.announced.add("call-1")

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.failed(request(), ProviderError(500, "no"), caller())
        hooks.failed(request(), ProviderError(500, "no"), caller())

    in_loop(act)
    assert [event.announced for event in publisher.events] == [True]


def test_an_odd_request_never_costs_the_event(publisher: RecordingPublisher) -> None:
    """Fields of any type and length are cut or left out; the event stays valid."""
    hooks = recorder(publisher)
    odd = {
        "alerting_metadata": {"x" * 999: ["\x00\ud800" * 999], 7: 1, "n": None},
        "tags": ["\ud800", 3, None, "t" * 999],
    }

    def act() -> None:
        hooks.started(request("c" * 999, model=["?"], metadata=odd, stream="yes"), caller(team_alias="\x00\ud800"), 5)
        hooks.attempt_started(attempt("c" * 999, api_base=7, model_info="?", model=None))
        hooks.succeeded(
            success(
                "c" * 999,
                metadata=odd,
                response_cost=float("nan"),
                prompt_tokens=-1,
                completion_tokens=10**30,
                endTime="?",
                api_base=["x"],
                request_tags="x",
                end_user={"id": 1},
            )
        )

    in_loop(act)
    (event,) = publisher.events
    assert (event.cost_nanos, event.prompt_tokens, event.completion_tokens) == (None, 0, 1_000_000_000)
    assert event.team_alias == "\ufffd\ufffd"


def test_a_call_with_a_very_long_id_progresses(publisher: RecordingPublisher) -> None:
    """Every hook looks a call up by the same name."""
    hooks = impatient(publisher)
    long = "call-" * 100

    def act() -> None:
        hooks.started(request(long, stream=True), caller(), "acompletion")
        hooks.chunk(request(long))

    in_loop(act)
    assert list(publisher.inflight.progressed.values()) == [1]


def test_a_call_is_abandoned_once_if_its_task_ends_unlogged(publisher: RecordingPublisher) -> None:
    """A client that went away fires no hook. The end of the request's task shows it."""
    hooks = impatient(publisher)

    async def proxy() -> None:
        async def handle() -> None:
            hooks.started(request(stream=True), caller(), "acompletion")
            hooks.chunk(request())
            hooks.chunk(request())

        await asyncio.create_task(handle())
        assert publisher.events == []
        await asyncio.sleep(0.1)

    asyncio.run(proxy())
    (event,) = publisher.events
    assert (event.type, event.reason, event.chunks) == ("llm.request.abandoned", "disconnected", 2)
    assert publisher.inflight.progressed == {"call-1": 2}


def test_a_cancelled_task_is_abandoned_as_cancelled(publisher: RecordingPublisher) -> None:
    """The event shows that the proxy cancelled the call."""
    hooks = impatient(publisher)

    async def proxy() -> None:
        async def handle() -> None:
            hooks.started(request(), caller(), "acompletion")
            await asyncio.sleep(60)

        task = asyncio.create_task(handle())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0.1)

    asyncio.run(proxy())
    assert [event.reason for event in publisher.events] == ["cancelled"]


def test_an_answered_call_that_litellm_never_logs_cannot_hang(publisher: RecordingPublisher) -> None:
    """A call whose answer was complete is not watched any more. If it had hung, it is ended."""
    hooks = impatient(publisher)
    publisher.inflight.announced.add("hung")

    async def proxy() -> None:
        async def handle() -> None:
            for call_id in ("call-1", "hung"):
                hooks.started(request(call_id), caller(), "anthropic_messages")
                hooks.answer_complete(request(call_id))
            assert publisher.inflight.describes == {}

        await asyncio.create_task(handle())
        await asyncio.sleep(0.3)

    asyncio.run(proxy())
    assert [(event.type, event.call_id, event.announced) for event in publisher.events] == [
        ("llm.request.succeeded", "hung", True)
    ]


def test_a_client_that_disconnects_is_not_a_failure(publisher: RecordingPublisher) -> None:
    """LiteLLM may be configured to cancel such calls; it then fails them with nginx's status 499."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.failed(request(), ProxyException("499", "Client disconnected"), caller())

    in_loop(act)
    assert [(event.type, event.reason) for event in publisher.events] == [("llm.request.abandoned", "disconnected")]


def test_an_id_used_again_is_another_call(publisher: RecordingPublisher) -> None:
    """Clients may choose the id, and some always choose the same."""
    hooks = recorder(publisher)

    def act() -> None:
        for _ in range(2):
            hooks.started(request(), caller(), "acompletion")
            hooks.failed(request(), ProviderError(500, "no"), caller())

    in_loop(act)
    assert len(publisher.events) == 2


def test_a_callers_own_cost_fields_are_not_believed(publisher: RecordingPublisher) -> None:
    """The cost of a failed call comes from LiteLLM's own object and never from the request's body."""
    hooks = recorder(publisher)
    forged = request(response_cost=-5.0, combined_usage_object={"prompt_tokens": 10**6})

    def act() -> None:
        hooks.started(forged, caller(), "acompletion")
        hooks.failed(forged, ProviderError(500, "no"), caller())

    in_loop(act)
    assert (publisher.events[0].cost_nanos, publisher.events[0].prompt_tokens) == (None, 0)


def test_the_reason_for_a_cost_of_zero_is_published(publisher: RecordingPublisher) -> None:
    """LiteLLM's own finding; a model that is free by its price has none."""
    hooks = recorder(publisher)
    finding = {
        "reason": "missing_pricing_key",
        "pricing_model": "m",
        "missing_pricing_keys": ("input_cost_per_token",),
    }
    for diagnostic in (finding, None, "odd"):
        in_loop(partial(hooks.succeeded, success(response_cost=0.0, zero_cost_diagnostic=diagnostic)))

    assert [event.cost_failure for event in publisher.events] == [
        "missing_pricing_key: input_cost_per_token",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (
            "Model is None. Passed completion_response=ModelResponse(choices=[Choices(message='ANSWER')]), model=None",
            "Model is None.",
        ),
        ("cannot price ANSWER for PROMPT", "cannot price [removed] for [removed]"),
        ("This model isn't mapped yet. model=m, custom_llm_provider=azure", None),
    ],
)
def test_the_reason_for_an_unknown_cost_has_neither_prompt_nor_answer(
    publisher: RecordingPublisher, error: str, left: str | None
) -> None:
    """The error of LiteLLM's cost calculation repeats the whole response."""
    answer, prompt = "You asked about Acme GmbH", "the quick brown fox jumps"
    error = error.replace("ANSWER", answer).replace("PROMPT", prompt)
    log = success(
        response_cost=None,
        response_cost_failure_debug_info={"error_str": error},
        messages=[{"role": "user", "content": prompt}],
        response={"model": "This model isn't mapped yet", "choices": [{"message": {"content": answer}}]},
    )
    in_loop(lambda: recorder(publisher).succeeded(log))

    assert [event.cost_failure for event in publisher.events] == [left or error]


def test_a_late_success_log_is_waited_for(publisher: RecordingPublisher) -> None:
    """A call whose answer was complete is not abandoned while its log is on its way."""
    hooks = recorder(publisher)

    async def proxy() -> None:
        async def handle() -> None:
            hooks.started(request(), caller(), "acompletion")
            hooks.answer_complete(request())

        await asyncio.create_task(handle())
        await asyncio.sleep(0.1)
        hooks.succeeded(success())
        await asyncio.sleep(0.25)

    asyncio.run(proxy())
    assert [event.type for event in publisher.events] == ["llm.request.succeeded"]


def test_a_cut_stream_that_litellm_bills_is_abandoned_with_its_cost(publisher: RecordingPublisher) -> None:
    """LiteLLM logs a cut stream as a success so that it is paid for; it was none."""
    hooks = recorder(publisher)

    def act() -> None:
        hooks.started(request(stream=True), caller(), "acompletion")
        hooks.chunk(request())
        hooks.succeeded(success(stream=True, metadata={"client_disconnected": True}))

    in_loop(act)
    assert [(event.type, event.chunks) for event in publisher.events] == [("llm.request.abandoned", 1)]


def test_nothing_of_a_prompt_is_kept(publisher: RecordingPublisher) -> None:
    """The record of a running call holds no reference to its messages."""

    class Prompt(list[Any]):
        """Messages that can be looked for."""

    hooks = recorder(publisher)

    async def proxy() -> None:
        def start_call() -> None:
            prompt = Prompt([{"role": "user", "content": "hello"}])
            hooks.started(request(messages=prompt), caller(), "acompletion")
            hooks.attempt_started(attempt(messages=prompt))

        start_call()
        gc.collect()
        assert not [thing for thing in gc.get_objects() if type(thing) is Prompt]

    asyncio.run(proxy())


@pytest.mark.parametrize(
    ("own", "litellms", "expected"), [(2.5, 600, 2.5), (None, 600, 600.0), (None, 0.0001, 0.0001), (None, None, 300.0)]
)
def test_the_threshold_is_ours_then_litellms(
    publisher: RecordingPublisher, own: float | None, litellms: object, expected: float
) -> None:
    """Our setting rules over ``general_settings.alerting_threshold``, and 300 s stand where neither is set."""
    hooks = Recorder(publisher, CallbackOptions(threshold_seconds=own), threshold=lambda: litellms)
    in_loop(lambda: hooks.started(request(), caller(), "acompletion"))
    assert publisher.threshold_seconds == expected
