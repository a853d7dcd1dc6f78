"""The callback on a real LiteLLM proxy: requests to the proxy, and the events that reach the broker."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from alertworker.events import Event
from alertworker.events.batch import decode
from alertworker.publisher.topology import events_queue
from tests.acceptance.proxy import MASTER_KEY, PROMPT, UPSTREAM_KEY, Proxy
from tests.acceptance.stack import Stack

MODELS = ("fast", "slow-2", "status-500", "status-404", "drip-0.1-30")


class _Proxy(Proxy):
    """A proxy with a fallback from one model to another."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["router_settings"] |= {"fallbacks": [{"status-404": ["slow-2"]}]}
        return config


class Events:
    """The events on the broker's queue, read as a worker reads them."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self.seen: list[Any] = []

    def until(self, enough: Callable[[list[Any]], bool], *, seconds: float = 15) -> list[Any]:
        """Return all events of calls, in order, once they are enough."""
        ends = time.monotonic() + seconds
        while not enough(self.seen) and time.monotonic() < ends:
            self.seen += [event for event in self._read() if hasattr(event, "call_id")]
            time.sleep(0.05)
        return self.seen

    def ended(self, seconds: float = 15) -> list[Any]:
        """Return the events up to the first end of a call."""
        return self.until(lambda seen: any(hasattr(event, "ended_at") for event in seen), seconds=seconds)

    def forget(self) -> None:
        """Ignore the events so far; they belong to earlier tests."""
        self.until(lambda _: False, seconds=0.3)
        self.seen.clear()

    def _read(self) -> Iterator[Event]:
        with Connection(self._url) as connection:
            queue = events_queue(self._url)(connection.channel())
            queue.declare()
            while (message := queue.get(no_ack=True, accept=["msgpack", "json"])) is not None:
                _, arguments, _ = message.payload
                decoded = decode(arguments["events"], arguments["encoding"])
                assert decoded.rejected == []
                yield from decoded.events


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Events]]:
    """Run the proxy, its upstream and a broker without other readers, with a threshold of 1 s."""
    folder: Path = tmp_path_factory.mktemp("callback")
    stack = Stack(folder / "s", "")
    proxy = _Proxy(folder / "p", stack.broker_url, MODELS, {"alerting_threshold": 1})
    try:
        stack.start_broker()
        proxy.up()
        proxy.ask("fast")  # the first request of a proxy may take longer than the threshold
        yield proxy, Events(stack.broker_url)
    finally:
        proxy.down()
        stack.down()


@pytest.fixture
def pipeline(running: tuple[Proxy, Events]) -> tuple[Proxy, Events]:
    """Return proxy and events, without those of the test before."""
    running[1].forget()
    return running


def post(proxy: Proxy, path: str, body: dict[str, Any], *, key: str | None = MASTER_KEY) -> int:
    """Post to another route than chat completions, or without a key, and return the status."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    url = f"http://127.0.0.1:{proxy.port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_success_is_one_event_with_its_figures(pipeline: tuple[Proxy, Events]) -> None:
    """A fast call costs one event: caller, deployment, tokens, cost, times, tags and alerting metadata."""
    proxy, events = pipeline
    assert proxy.ask("fast")[0] == 200

    (event,) = events.ended()
    assert (event.type, event.model_group, event.provider) == ("llm.request.succeeded", "fast", "openai")
    assert (event.prompt_tokens, event.completion_tokens, event.cost_nanos) == (10, 5, 75_000)
    assert event.api_base == f"http://127.0.0.1:{proxy.upstream_port}/v1"
    assert event.alerting_metadata == {}  # no alert shows it
    assert "acceptance" in event.tags
    assert event.deployment_id
    assert not event.announced


def test_a_fallback_is_timed_from_the_clients_request_on(pipeline: tuple[Proxy, Events]) -> None:
    """The attempt is published, the call hangs on the second deployment, and its end has the requested model."""
    proxy, events = pipeline
    assert proxy.ask("status-404")[0] == 200

    attempt, announced, end = events.ended()
    assert (attempt.type, attempt.failure.origin) == ("llm.attempt.failed", "provider")
    assert announced.type == "llm.request.announced"
    assert (end.original_model_group, end.model_group, end.fallbacks, end.attempts) == ("status-404", "slow-2", 1, 2)
    assert end.announced
    assert end.started_at == attempt.started_at


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]}),
        ("/v1/completions", {"prompt": PROMPT}),
        ("/v1/messages", {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 9}),
        ("/v1/responses", {"input": PROMPT}),
        ("/v1/embeddings", {"input": [PROMPT]}),
    ],
)
def test_a_failure_is_published_once_on_every_endpoint(
    pipeline: tuple[Proxy, Events], path: str, body: dict[str, Any]
) -> None:
    """The attempt and the call fail once. LiteLLM's layers report parts of it twice."""
    proxy, events = pipeline
    assert post(proxy, path, body | {"model": "status-500"}) == 500

    events.ended()
    seen = [event for event in events.until(lambda _: False, seconds=0.5) if event.type != "llm.request.announced"]
    assert [event.type for event in seen] == ["llm.attempt.failed", "llm.request.failed"]
    assert [event.failure.origin for event in seen] == ["provider", "provider"]
    assert {event.model_group for event in seen} == {"status-500"}
    assert len({event.deployment_id for event in seen} - {None}) == 1
    text = "".join(event.model_dump_json() for event in seen)
    assert PROMPT[:12] not in text
    assert PROMPT[20:32] not in text
    assert UPSTREAM_KEY not in text


@pytest.mark.parametrize("key", [None, "sk-nobody-knows-this-key"])
def test_a_caller_turned_away_is_its_own_fault(pipeline: tuple[Proxy, Events], key: str | None) -> None:
    """A missing or wrong key is the caller's error, and no deployment is named."""
    proxy, events = pipeline
    assert post(proxy, "/v1/chat/completions", {"model": "fast", "messages": []}, key=key) >= 400

    (event,) = events.ended()
    assert (event.type, event.failure.origin) == ("llm.request.failed", "caller")
    assert (event.deployment_id, event.provider, event.api_base) == (None, None, None)
    assert "nobody-knows" not in event.model_dump_json()


def test_a_stream_over_the_threshold_is_not_announced_while_chunks_come(pipeline: tuple[Proxy, Events]) -> None:
    """A stream of 3 s with a threshold of 1 s is one event, with the times of its first and last chunk."""
    proxy, events = pipeline
    assert proxy.ask("drip-0.1-30", stream=True)[0] == 200

    (event,) = events.ended()
    assert event.type == "llm.request.succeeded"
    assert 2 < (event.last_chunk_at - event.first_token_at).total_seconds() < 6


def test_a_cut_stream_is_abandoned_with_its_cost(pipeline: tuple[Proxy, Events]) -> None:
    """LiteLLM logs the streamed part as a success, but the client never got its answer."""
    proxy, events = pipeline
    proxy.ask("drip-0.1-30", stream=True, read=300)

    (event,) = events.ended()
    assert (event.type, event.reason) == ("llm.request.abandoned", "disconnected")
    assert 0 < event.chunks < 30
    assert event.cost_nanos
    time.sleep(0.5)
    assert len(events.until(lambda _: False, seconds=0.2)) == 1
