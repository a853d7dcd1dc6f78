"""From calls of a real LiteLLM proxy to a receiver: regions, users' spend, and all reports, on one installation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.conftest import WEBHOOK_SECRET
from tests.acceptance.proxy import PROMPT, Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import wait_for_rows

DOWN = "status-503"
#: A zone in which it is noon, so that no day ends while the test runs.
ZONE = ZoneInfo(f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")
#: Sends due reports like beat's and the worker's tasks, at other times, one after the other.
SEND_DUE = """
import sys
from datetime import datetime
from alertworker.app import get_reporter
from alertworker.pipeline import deliver
reporter = get_reporter()
for moment in map(datetime.fromisoformat, sys.argv[1:]):
    reporter.send_due(now=moment)
    for channel in reporter.runtime.channels:
        while deliver(channel, reporter.runtime, now=moment):
            pass
"""


class _Proxy(Proxy):
    """A proxy with a fallback, and two deployments of one region that are down and whose models name no provider."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        for model in config["model_list"]:
            model["litellm_params"] |= {"input_cost_per_token": 0.01, "output_cost_per_token": 0.02}
        away = {"api_key": "k", "api_base": "http://127.0.0.1:9/v1", "region_name": "eu", "max_retries": 0}
        config["model_list"] += [
            {"model_name": f"abroad-{model}", "litellm_params": {"model": model, **away}}
            for model in ("gpt-4o", "gpt-4o-mini")
        ]
        config["router_settings"]["fallbacks"] = [{DOWN: ["fast"]}]
        return config


@dataclass(frozen=True)
class Pipeline:
    """A proxy, our installation, and its receiver."""

    proxy: Proxy
    stack: Stack
    slack: Receiver

    def ask(self, *models: str) -> list[int]:
        """Request each of these models, four at a time, and return the statuses."""
        with ThreadPoolExecutor(4) as pool:
            return [status for status, _ in pool.map(self.proxy.ask, models)]

    def send_due(self, *moments: datetime) -> None:
        """Send what is due at these times of the zone. They also pace the lanes, so no other message may follow."""
        command = [sys.executable, "-c", SEND_DUE, *(moment.isoformat() for moment in moments)]
        subprocess.run(command, env=self.stack.env, cwd=self.stack.folder, check=True, timeout=60)


@pytest.fixture
def pipeline(tmp_path: Path, slack: Receiver) -> Iterator[Pipeline]:
    """Run an installation with short periods and without a beat: users are checked once a minute at most."""
    words = {
        "alerting": ["slack"],
        "spend_report_frequency": "1d",
        "alerting_args": {
            "daily_report_frequency": 10,
            "daily_spend_per_user_threshold": 0.5,
            "user_spend_check_interval": 60,
        },
    }
    config = {
        "general_settings": words,
        "alertworker": {"group_interval": 5, "time_zone": ZONE.key},
        "environment_variables": {"SLACK_WEBHOOK_URL": f"{slack.url}/services/T000/B000/{WEBHOOK_SECRET}"},
    }
    stack = Stack(tmp_path / "s", json.dumps(config))
    proxy = _Proxy(tmp_path / "p", stack.broker_url, ("fast", DOWN))
    try:
        stack.up("ingest", "deliver")
        proxy.up()
        yield Pipeline(proxy, stack, slack)
    finally:
        proxy.down()
        stack.down()


@pytest.mark.timeout(240)
def test_regions_users_and_reports_come_from_a_proxys_calls(pipeline: Pipeline) -> None:
    """Each message has the figures of the proxy's calls, and the prompt is nowhere."""
    assert set(pipeline.ask(*["abroad-gpt-4o", "abroad-gpt-4o-mini"] * 5)) == {500}
    assert pipeline.ask(*["fast"] * 3, *[DOWN] * 2) == [200] * 5
    region = pipeline.slack.wait_for("`region_outage_alerts`", seconds=20)[0]
    for part in ("Service Outage", "region eu (openai)", "Deployments", "hello: `world`"):
        assert part in region.text

    wait_for_rows(pipeline.stack, "SELECT sum(requests) FROM spend WHERE dimension = 'user'", [(15,)], 20)
    pipeline.stack.start("beat")
    [user] = pipeline.slack.wait_for("`user_spend_thresholds`", seconds=20)
    daily = pipeline.slack.wait_for("`daily_reports`", seconds=30)[0]
    pipeline.stack.kill("beat")
    for part in ("default_user_id", "Spend: `$1`", "$0.50", "fast $1"):
        assert part in user.text
    for part in ("so far", "$1", "15, 10 failed", "gpt-4o-mini"):
        assert part in daily.text

    nine = datetime.now(ZONE).replace(hour=9, minute=0, second=0, microsecond=0)
    pipeline.send_due(nine + timedelta(days=1), nine + timedelta(days=7 - nine.weekday()))
    spend = pipeline.slack.taken("`spend_reports`")[0]
    [fallbacks] = pipeline.slack.taken("`fallback_reports`")
    for part in (f"{nine:%-d %b %Y}", "$1", "15, 10 failed"):
        assert part in spend.text
    assert f"{DOWN} → fast 2 saved" in fallbacks.text
    assert [post.text for post in pipeline.slack.taken(PROMPT[:12])] == []
