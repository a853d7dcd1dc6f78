"""The alerting page's example, verbatim: several channels for an alert type."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.internet import proxy_to
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.seed_page import SEVERAL_CHANNELS_EACH


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Receiver, dict[str, str]]]:
    """Run webhook.site on loopback, with a certificate. Return it, and the environment that leads to it."""
    authority = trustme.CA()
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

    assert sorted(post.path for post in slack.posts) == [
        "/28cfb179-f4fb-4408-8129-729ff55cf213",
        "/7843a980-a494-4967-80fb-d502dbc16886",
    ]
    assert {post.status for post in slack.posts} == {200}
