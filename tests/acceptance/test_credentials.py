"""The key that a provider refuses, on a real LiteLLM proxy: the deployment's or the client's."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from alertworker.detectors import Policy
from alertworker.detectors.llm import exceptions
from alertworker.folding import Fold
from tests.acceptance.proxy import UPSTREAM_KEY, Proxy
from tests.acceptance.stack import Stack
from tests.acceptance.test_callback import Events

_OWN = sha256(UPSTREAM_KEY.encode()).hexdigest()[:12]
#: A hook of the operator's that cannot be imported when it is first needed.
_BROKEN = """
from litellm.integrations.custom_logger import CustomLogger


class Broken(CustomLogger):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        if data.get("user") == "broken":
            import a_package_that_nobody_installed


hook = Broken()
"""


class _Proxy(Proxy):
    """A proxy whose clients may bring keys, with a named credential and a broken hook."""

    def _config(self) -> dict[str, Any]:
        (self.folder / "broken.py").write_text(_BROKEN)
        config = super()._config()
        config["litellm_settings"]["callbacks"].append("broken.hook")
        config["credential_list"] = [
            {"credential_name": "shared", "credential_values": {"api_key": UPSTREAM_KEY}, "credential_info": {}}
        ]
        for model in config["model_list"]:
            model["litellm_params"]["configurable_clientside_auth_params"] = ["api_key"]
            if model["model_name"] == "status-401":
                del model["litellm_params"]["api_key"]
                model["litellm_params"]["litellm_credential_name"] = "shared"
        return config


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Events]]:
    """Run the proxy, its upstream and a broker without other readers."""
    folder: Path = tmp_path_factory.mktemp("credentials")
    stack = Stack(folder / "s", "")
    proxy = _Proxy(folder / "p", stack.broker_url, ("fast", "status-401", "status-403"))
    try:
        stack.start_broker()
        proxy.up()
        yield proxy, Events(stack.broker_url)
    finally:
        proxy.down()
        stack.down()


@pytest.fixture
def line(running: tuple[Proxy, Events]) -> tuple[Proxy, Events]:
    """Return proxy and events, without those of the test before."""
    running[1].forget()
    return running


def test_an_answer_names_the_deployments_key(line: tuple[Proxy, Events]) -> None:
    """The provider accepted it."""
    proxy, events = line
    assert proxy.ask("fast")[0] == 200
    (event,) = events.ended()
    assert event.credential == _OWN


@pytest.mark.parametrize("model", ["status-401", "status-403"])
def test_a_refusal_names_the_deployments_key(line: tuple[Proxy, Events], model: str) -> None:
    """Also if the deployment has it from LiteLLM's list of credentials."""
    proxy, events = line
    assert proxy.ask(model)[0] >= 400
    attempt, end = events.ended()
    assert (attempt.type, attempt.credential, attempt.failure.origin) == ("llm.attempt.failed", _OWN, "provider")
    assert end.failure.origin == "provider"
    assert UPSTREAM_KEY not in attempt.model_dump_json()


@pytest.mark.parametrize("model", ["fast", "status-401"])
def test_a_key_that_the_client_brings_is_not_named(line: tuple[Proxy, Events], model: str) -> None:
    """Its refusal is the client's mistake. Its success proves nothing about the deployment's key."""
    proxy, events = line
    proxy.ask(model, more={"api_key": "sk-theClientsOwn1234567890"})
    seen = events.ended()
    assert [getattr(event, "credential", None) for event in seen] == [None] * len(seen)
    assert {event.failure.origin for event in seen if hasattr(event, "failure")} <= {"caller"}


def test_a_hook_that_cannot_be_imported_is_the_proxys_error(line: tuple[Proxy, Events]) -> None:
    """It fails before the call is routed, no client caused it, and somebody is notified."""
    proxy, events = line
    assert proxy.ask("fast", more={"user": "broken"})[0] >= 500
    (event,) = events.ended()
    assert (event.type, event.failure.origin, event.deployment_id) == ("llm.request.failed", "proxy", None)
    (alert,) = exceptions(Fold(failed=[event]), Policy())
    assert alert.severity == "High"
