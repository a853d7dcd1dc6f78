"""A real proxy without our callback whose ``SLACK_WEBHOOK_URL`` is the relay: what it says reaches people by us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.proxy import PROMPT, Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack, free_port
from tests.integration.broker import wait_for


class _Proxy(Proxy):
    """A proxy that only alerts by itself."""

    relay: str = ""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        del config["litellm_settings"]["callbacks"]
        return config | {"environment_variables": {"SLACK_WEBHOOK_URL": self.relay}}


@pytest.fixture
def relay(stack: Stack) -> Iterator[str]:
    """Run the HTTP side of the installation; gives the address for LiteLLM."""
    port = free_port()
    command = [sys.executable, "-m", "alertworker", "web", "--port", str(port)]
    with (stack.folder / "web.log").open("ab") as log:
        web = subprocess.Popen(command, env=stack.env, cwd=stack.folder, stdout=log, stderr=log)
    wait_for(lambda: "Uvicorn running" in stack.log("web"))
    yield f"http://127.0.0.1:{port}/integrations/litellm/slack"
    web.terminate()
    web.wait(20)


@pytest.mark.timeout(240)
def test_what_the_proxy_says_reaches_people_once_and_without_the_prompt(
    stack: Stack, slack: Receiver, relay: str, tmp_path: Path
) -> None:
    """Failures of two requests are one alert, counted, in our form."""
    proxy = _Proxy(tmp_path / "p", stack.broker_url, ("status-500",), {"alerting": ["slack"]})
    proxy.relay = relay
    try:
        proxy.up()
        for _ in range(2):
            assert proxy.ask("status-500")[0] == 500
        [first, *_] = slack.wait_for("LLM API call failed", seconds=30)
        wait_for(lambda: sum(post.count for post in slack.taken("LLM API call failed")) == 2, seconds=30)
    finally:
        proxy.down()

    assert "Alert type: `llm_exceptions`" in first.text
    everything = "".join(str(post.body) for post in slack.posts) + stack.logs()
    assert PROMPT not in everything
    assert "purple elephants" not in everything
