"""Budgets from a real proxy to a receiver. The proxy's own authentication reports the spend."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.proxy import Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack

#: The proxy's authentication: a key has an owner, and its own and its team's spend, as in a database.
AUTH = """
from datetime import datetime
from litellm.proxy._types import UserAPIKeyAuth

async def user_api_key_auth(request, api_key):
    _, alias, team_spend, spend = api_key.removeprefix("Bearer ").split("_")
    return UserAPIKeyAuth(
        api_key=api_key, key_alias=alias, spend=float(spend), soft_budget=100.0, budget_duration="30d",
        budget_reset_at=datetime.fromisoformat("RESET"), team_id="t1", team_alias="search",
        team_spend=float(team_spend), team_max_budget=1000.0,
    )
"""


@pytest.fixture
def proxy(stack: Stack, tmp_path: Path) -> Iterator[Proxy]:
    """Run a proxy whose keys' budgets reset in ten days."""
    running = Proxy(tmp_path / "p", stack.broker_url, ("fast",), {"custom_auth": "budget_auth.user_api_key_auth"})
    running.folder.mkdir()
    reset = datetime.now(UTC) + timedelta(days=10)
    (running.folder / "budget_auth.py").write_text(AUTH.replace("RESET", reset.isoformat()))
    try:
        running.up()
        yield running
    finally:
        running.down()


def test_a_team_of_many_keys_is_notified_once_per_limit(proxy: Proxy, stack: Stack, slack: Receiver) -> None:
    """Twelve keys cross 85 %, old figures follow, twelve cross 95 %. One key's pace exceeds its soft budget."""

    def ask(key: str) -> int:
        return proxy.ask("fast", key=key)[0]

    with ThreadPoolExecutor(12) as pool:
        first = list(pool.map(ask, [f"sk-canary_app{n}_{851 + n}_1" for n in range(12)]))
        slack.wait_for("85 % of budget", seconds=20)
        again = list(pool.map(ask, [f"sk-canary_app{n}_{10 * n}_1" for n in range(12)]))
        second = list(pool.map(ask, [f"sk-canary_app{n}_951_1" for n in range(12)]))
    slack.wait_for("95 % of budget", seconds=20)
    assert ask("sk-canary_paced_951_80") == 200
    (paced,) = slack.wait_for("soft budget of $100 will be crossed at this pace", seconds=20)
    time.sleep(2)

    assert set(first + again + second) == {200}
    assert [len(slack.taken(text)) for text in ("85 % of budget", "95 % of budget", "budget_alerts")] == [1, 1, 3]
    assert "Key paced" in paced.text
    assert "$80" in paced.text
    assert "$120" in paced.text
    assert "sk-canary" not in " ".join(post.text for post in slack.posts) + stack.logs() + proxy.log()
