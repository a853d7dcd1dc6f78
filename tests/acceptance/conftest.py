"""Fixtures of the acceptance tests: a receiver, and an installation that posts to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack

CONFIG = """
general_settings:
  alerting: ["slack"]
  alerting_threshold: 3
alertworker:
  group_interval: 5
  alert_type_config: {{llm_exceptions: {{digest: true, digest_interval: 5}}}}  # an interval that does not grow
  retry: {{first: 0.5}}
environment_variables:
  SLACK_WEBHOOK_URL: {url}/services/T000/B000/{secret}
"""
#: Stands for a webhook's secret. No log, message or row may contain it.
WEBHOOK_SECRET = "canaryWebhookSecret"


@pytest.fixture
def slack() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the services of the installation: its own broker and SQLite, unless a test names others."""
    names: dict[str, str] = getattr(request, "param", {})
    return {variable: request.getfixturevalue(fixture) for variable, fixture in names.items()}


@pytest.fixture
def stack(tmp_path: Path, slack: Receiver, environ: dict[str, str]) -> Iterator[Stack]:
    """Run an installation with a threshold of 3 s and summaries every 5 s."""
    running = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET), environ)
    try:
        running.up()
        yield running
    finally:
        running.down()


@pytest.fixture(scope="module")
def idle_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a broker and create the database. The tests of the module start the processes themselves."""
    idle = Stack(tmp_path_factory.mktemp("s"), "")
    try:
        idle.start_broker()
        idle.migrate()
        yield idle
    finally:
        idle.down()


@pytest.fixture
def publisher(stack: Stack, tmp_path: Path) -> Iterator[Publisher]:
    """Return a publisher to the installation's broker."""
    running = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool", threshold_seconds=3)
    yield running
    running.close()
