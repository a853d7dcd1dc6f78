"""A real proxy without our callback, whose webhooks point to the relay: we send its alerts to people.

There is one installation with its HTTP side, which also accepts plain events.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.proxy import PROMPT, Proxy
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import rows
from tests.ports import free_port

PUBLISH_KEY = "canaryPublishKey"
#: The proxy's authentication: LiteLLM's own check judges the budget of a key with this spend.
AUTH = """
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.auth.auth_checks import virtual_key_max_budget_check

async def user_api_key_auth(request, api_key):
    if not api_key.startswith("sk-spent"):
        return UserAPIKeyAuth(api_key=api_key)
    from litellm.proxy.proxy_server import proxy_logging_obj
    _, alias, spend = api_key.split("_")
    key = UserAPIKeyAuth(api_key=api_key, key_alias=alias, spend=float(spend), max_budget=100.0, team_id="t1")
    await virtual_key_max_budget_check(key, proxy_logging_obj)
    return key
"""


class _Proxy(Proxy):
    """A proxy with LiteLLM's own alerting only."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        del config["litellm_settings"]["callbacks"]
        return config


@dataclass
class Installation:
    """The installation, its receiver, the port of its HTTP side, and the proxy that relays to it."""

    stack: Stack
    slack: Receiver
    port: int
    proxy: Proxy


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Run everything once for this file."""
    folder: Path = tmp_path_factory.mktemp("relay")
    port = free_port()
    relay = f"http://127.0.0.1:{port}/integrations/litellm"
    with receiver() as slack:
        environ = {"ALERTWORKER_HTTP_PORT": str(port), "ALERTWORKER_PUBLISH_KEY": PUBLISH_KEY}
        # The second failure must join the alert of the first, also on a busy machine.
        config = CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET).replace("group_interval: 5", "group_interval: 15")
        stack = Stack(folder / "s", config, environ)
        proxy = _Proxy(
            folder / "p",
            stack.broker_url,
            ("fast", "status-500"),
            {
                "alerting": ["slack", "webhook"],
                "alert_types": ["llm_exceptions", "budget_alerts"],
                "custom_auth": "auth.user_api_key_auth",
            },
            environ={
                "SLACK_WEBHOOK_URL": f"{relay}/slack?key={PUBLISH_KEY}",
                "WEBHOOK_URL": f"{relay}/webhook?key={PUBLISH_KEY}",
            },
        )
        proxy.folder.mkdir()
        (proxy.folder / "auth.py").write_text(AUTH)
        try:
            stack.up()
            stack.start("web")
            proxy.up()
            yield Installation(stack, slack, port, proxy)
        finally:
            proxy.down()
            stack.down()


@pytest.mark.timeout(240)
def test_alerts_of_the_proxy_are_notified_once_and_without_the_prompt(running: Installation) -> None:
    """Failures of two requests are one alert, counted, in our form.

    LiteLLM loses alerts that arrive while it posts, so the test repeats a failure that was lost.
    """

    def messages_sent() -> int:
        return sum(post.count for post in running.slack.taken("LLM API call failed"))

    ends = time.monotonic() + 120
    while messages_sent() < 2 and time.monotonic() < ends:
        before = messages_sent()
        assert running.proxy.ask("status-500")[0] == 500
        patience = time.monotonic() + 25
        while messages_sent() == before and time.monotonic() < patience:
            time.sleep(0.1)
    first, *_ = running.slack.taken("LLM API call failed")

    assert messages_sent() >= 2
    assert rows(running.stack, "SELECT count(*) FROM alerts WHERE type = 'llm_exceptions'") == [(1,)]

    assert "Alert type: `llm_exceptions`" in first.text
    everything = "".join(str(post.body) for post in running.slack.posts) + running.stack.logs()
    assert PROMPT not in everything
    assert "purple elephants" not in everything


def test_a_budget_that_the_proxy_reports_to_its_webhook_reaches_people_once(running: Installation) -> None:
    """There is one message for each limit, however often LiteLLM posts it."""
    for key in ("sk-spent_app_86.5", "sk-spent_app_87"):
        assert running.proxy.ask("fast", key=key)[0] == 200
    [first] = running.slack.wait_for("Key app: `85 % of budget", seconds=30)
    assert running.proxy.ask("fast", key="sk-spent_app_97")[0] == 200
    [second] = running.slack.wait_for("Key app: `95 % of budget", seconds=30)

    assert "Alert type: `budget_alerts`" in first.text
    assert "of $100 (8" in first.text
    assert "$97 of $100 (97.0 %)" in second.text
    assert [len(running.slack.taken(f"Key app: `{share} % of budget")) for share in (85, 95)] == [1, 1]
    assert "sk-spent" not in "".join(str(post.body) for post in running.slack.posts) + running.stack.logs()


def test_an_event_over_http_reaches_people(running: Installation) -> None:
    """Any producer with the publish key can send one, and none without it."""
    event = {
        "type": "llm.request.failed",
        "call_id": "call-1",
        "started_at": "2026-11-25T12:00:00Z",
        "ended_at": "2026-11-25T12:00:01Z",
        "model_group": "gpt-http",
        "failure": {"error_class": "APIError", "status_code": 500, "origin": "provider", "message": "out of order"},
    }

    def post(key: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/events", json.dumps(event), headers)
        status = connection.getresponse().status
        connection.close()
        return status

    assert post("wrong") == 401
    assert post(PUBLISH_KEY) == 202
    [messages_sent] = running.slack.wait_for("gpt-http", seconds=30)
    assert "out of order" in messages_sent.text
    assert PUBLISH_KEY not in messages_sent.text + running.stack.logs()
