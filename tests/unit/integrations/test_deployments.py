"""Which deployment an attempt was made on: provider and region as LiteLLM itself finds them."""

from __future__ import annotations

from typing import Any

import pytest

from alertworker.integrations.litellm.deployments import Deployments, needed_fields
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.litellm_data import ProviderError, attempt, caller, request, success
from tests.unit.integrations.recording import RecordingPublisher
from tests.unit.integrations.test_recorder import in_loop


def test_a_model_without_a_provider_has_the_one_that_litellm_finds() -> None:
    """In failed attempts, in the call's end, and in what failed it; its region counts with it."""
    publisher = RecordingPublisher()
    asked: list[tuple[str, str | None]] = []

    def find(model: str, api_base: str | None) -> str | None:
        asked.append((model, api_base))
        return "openai"

    hooks = Recorder(publisher, CallbackOptions(), grace=(60, 60), deployments=Deployments(find))
    bare = attempt(model="gpt-4o", region_name="eu", api_base="http://up/v1")

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.attempt_started(bare)
        hooks.attempt_failed(bare, ProviderError(500, "no"), None)
        hooks.failed(request(), ProviderError(500, "no"), caller())

    in_loop(act)
    assert [(event.provider, event.region) for event in publisher.events] == [("openai", "eu")] * 2
    assert [(one.provider, one.region) for one in publisher.events[-1].failed_on] == [("openai", "eu")]
    assert set(asked) == {("gpt-4o", "http://up/v1")}


def test_litellm_is_not_queried_for_fields_of_the_deployment() -> None:
    """The same holds for a model that is not a string. A provider that LiteLLM does not know is unknown."""

    def never(_model: str, _api_base: str | None) -> str | None:
        raise AssertionError

    assert Deployments(never).facts({"model": "m", "custom_llm_provider": "azure"})["provider"] == "azure"
    assert Deployments(never).facts({"model": None})["provider"] is None
    assert Deployments(lambda _model, _base: None).facts({"model": "x/y"})["provider"] is None


@pytest.mark.parametrize(
    ("settings", "provider", "region"),
    [
        ({"region_name": "eu", "aws_region_name": "us-east-1"}, "bedrock", "eu"),
        ({"aws_region_name": "us-east-1"}, "bedrock", "us-east-1"),
        ({"watsonx_region_name": "us-south"}, "watsonx", "us-south"),
        ({"vertex_location": "europe-west4"}, "vertex_ai", "europe-west4"),
        ({}, "vertex_ai", "us-central1"),
        ({}, "openai", None),
    ],
)
def test_the_region_is_the_deployments_own_or_vertex_ais_for_the_whole_proxy(
    settings: dict[str, Any], provider: str, region: str | None
) -> None:
    """A failed attempt and an answer have the same region: a region's outage counts both."""
    deployments = Deployments(vertex_location="us-central1")
    tried = attempt(custom_llm_provider=provider, **settings)
    publisher = RecordingPublisher()
    hooks = Recorder(publisher, CallbackOptions(), grace=(60, 60), deployments=deployments)

    def act() -> None:
        hooks.started(request(), caller(), "acompletion")
        hooks.attempt_started(tried)
        hooks.succeeded(success(custom_llm_provider=provider))

    in_loop(act)
    assert [event.region for event in publisher.events] == [region]
    assert deployments.facts(needed_fields(tried))["region"] == region
