"""The alerting page's example, verbatim: several channels for an alert type."""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.internet import proxy_to
from tests.acceptance.proxy import Proxy
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.ports import free_port
from tests.processes import running
from tests.seed_page import SEVERAL_CHANNELS_EACH

#: The host of the page's fake model.
_UPSTREAM = "exampleopenaiendpoint-production.up.railway.app"
#: The addresses of `llm_too_slow` in the page's example.
_SLOW_PATHS = ["/28cfb179-f4fb-4408-8129-729ff55cf213", "/7843a980-a494-4967-80fb-d502dbc16886"]


class _PagesProxy(Proxy):
    """A proxy with the page's file, and the one line that adds the callback."""

    langfuse = True

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(SEVERAL_CHANNELS_EACH)
        config["litellm_settings"]["callbacks"] = ["alertworker.integrations.litellm.callback"]
        if not self.langfuse:
            assert config["litellm_settings"].pop("success_callback") == ["langfuse"]
        return config

    def up(self) -> None:
        """Start. LiteLLM 1.110 does not start with the page's `success_callback` while its package is absent."""
        try:
            super().up()
        except AssertionError as error:
            if not self.langfuse or "Could not build the 'langfuse' callback" not in str(error):
                raise
            self.down()
            self.langfuse = False
            super().up()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Receiver, dict[str, str]]]:
    """Run webhook.site on loopback, with a certificate. Return it, and the environment that leads to it."""
    authority = trustme.CA()
    authority.issue_cert(_UPSTREAM).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "upstream.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("webhook.site", "hooks.slack.com").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with receiver(context) as running, proxy_to(int(running.url.rpartition(":")[2])) as proxy:
        environ = {"HTTPS_PROXY": proxy, "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem")}
        for number in ("", *(f"_{index}" for index in range(2, 21))):
            environ[f"SLACK_WEBHOOK_URL{number}"] = f"https://hooks.slack.com/services/T0/B0/hook{number}"
        yield running, environ


def test_a_slow_call_is_one_post_to_each_address_of_its_type(
    site: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    """The page's request is slow for its threshold. Nothing else is posted anywhere."""
    slack, environ = site
    stack = Stack(tmp_path / "s", SEVERAL_CHANNELS_EACH, environ)
    try:
        stack.up()
        publisher = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool", threshold_seconds=0.0001)
        now = datetime.now(UTC)
        publisher.inflight.start("call-1", dict)
        time.sleep(0.3)
        publisher.inflight.finish("call-1")
        publisher.publish(
            {
                "type": "llm.request.succeeded",
                "call_id": "call-1",
                "model_group": "gpt-4",
                "started_at": now - timedelta(seconds=0.3),
                "ended_at": now,
                "completion_tokens": 5,
                "cost_nanos": 13_500,
            }
        )
        slack.wait_for("Responses are slow", seconds=20, count=2)
        time.sleep(4)
        publisher.close()
    finally:
        stack.down()

    assert sorted(post.path for post in slack.posts) == _SLOW_PATHS
    assert {post.status for post in slack.posts} == {200}


@pytest.mark.timeout(400)
def test_the_pages_request_through_a_proxy_is_one_post_to_each_address(
    site: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    """The model is fake and has no price, and the package of the success callback is not installed.

    LiteLLM 1.106 refuses the first request for that package, before it is a call, and answers those that follow.

    The page lists `failed_tracking_spend` as on by default. It is Low for a model whose name no price
    list has, and goes once to the chat of the environment.
    """
    slack, environ = site
    stack = Stack(tmp_path / "s", SEVERAL_CHANNELS_EACH, environ)
    port = free_port()
    upstream = [sys.executable, str(Path(__file__).with_name("upstream.py")), str(port), str(tmp_path / "upstream.pem")]
    with proxy_to(port) as internet, running(upstream):
        # LiteLLM's own alerting cannot reach webhook.site from here, so every post is the worker's.
        proxy = _PagesProxy(
            tmp_path / "p",
            stack.broker_url,
            (),
            own_upstream=False,
            environ={
                "HTTPS_PROXY": internet,
                "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
                "AIOHTTP_TRUST_ENV": "True",
                # LiteLLM refuses the page's own master key, sk-1234, without this.
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
                **{name: url for name, url in environ.items() if name.startswith("SLACK_")},
            },
        )
        try:
            stack.up()
            proxy.up()
            answers = [proxy.ask("gpt-4", key="sk-1234", prompt="Hello, Claude gm!") for _ in range(3)]
            assert [status for status, _ in answers[1:]] == [200] * 2, (answers, proxy.log()[-3_000:])
            slack.wait_for("Responses are slow", seconds=60, count=2)
            slack.wait_for("`failed_tracking_spend`", seconds=60)
            time.sleep(4)
        finally:
            proxy.down()
            stack.down()

    unpriced = [post for post in slack.posts if "`failed_tracking_spend`" in post.text]
    assert [(post.path, "Level: `Low`" in post.text) for post in unpriced] == [("/services/T0/B0/hook", True)]
    assert sorted(post.path for post in slack.posts if post not in unpriced) == _SLOW_PATHS
    assert {post.status for post in slack.posts} == {200}
