"""Budgets: one limit reported by many calls and processes, and two limits within a day."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from alertworker.events import Budget, BudgetScope, RequestSucceeded
from bench.torture import own_class
from bench.torture.calls import outage
from bench.torture.ledger import Ledger, Row, Side, plural
from bench.torture.pair import SETTLE_SECONDS, Pair, Setup, publish, wait
from tests.acceptance.receiver import OK, Receiver

#: The proxy's authentication. The key contains its alias and its spend of 100, in place of a database. Then LiteLLM's
#: own budget check runs, which a proxy without a database does not run by itself.
_AUTH: Final = """
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.auth.auth_checks import virtual_key_max_budget_check

async def user_api_key_auth(request, api_key):
    from litellm.proxy.proxy_server import proxy_logging_obj
    key = api_key.removeprefix("Bearer ")
    if not key.startswith("spent_"):
        return UserAPIKeyAuth(api_key=key)
    _, alias, spend = key.split("_")
    known = UserAPIKeyAuth(api_key=f"sk-{alias}", key_alias=alias, spend=float(spend), max_budget=100.0)
    await virtual_key_max_budget_check(known, proxy_logging_obj)
    return known
"""
#: Shared caches outlive a run. Entries of an earlier run must not count.
_RUN: Final = uuid4().hex[:8]
SEEN_BY_FOUR: Final = f"status-503-four-{_RUN}"
_WORDS: Final = {"alerting": ["slack", "webhook"], "custom_auth": "spent.user_api_key_auth"}
_FILES: Final = {"spent.py": _AUTH}


def _shared(config: dict[str, Any]) -> dict[str, Any]:
    """Make LiteLLM's processes share a Redis for the state of alerting, but not for cached responses."""
    redis = {"type": "redis", "host": "127.0.0.1", "port": 6379, "supported_call_types": []}
    config["litellm_settings"] |= {"cache": True, "cache_params": redis}
    return config


ONE_PROCESS: Final = Setup(("budget_alerts",), ("fast",), _WORDS, files=_FILES)
#: uvicorn ends a worker that has not answered within 5 s. On a busy machine LiteLLM takes longer to start.
_FOUR: Final = ("--num_workers", "4", "--timeout_worker_healthcheck", "120")
FOUR_ALONE: Final = Setup(
    ("budget_alerts", "outage_alerts"), ("fast", SEEN_BY_FOUR), _WORDS, files=_FILES, arguments=_FOUR
)
FOUR_SHARED: Final = Setup(
    ("budget_alerts", "outage_alerts"), ("fast", SEEN_BY_FOUR), _WORDS, adapt=_shared, files=_FILES, arguments=_FOUR
)


def budget_race(pair: Pair) -> Row:
    """Send ten calls at once with one key that has spent 86 of 100."""
    pair.control()
    assert set(pair.ask(["fast"] * 10, at_once=10, key=f"spent_race{_RUN}_86")) == {200}
    return _budgets(pair, "race", 1)


def two_thresholds(pair: Pair) -> Row:
    """Move a key to 86 of 100, and after both have alerted to 96."""
    pair.control()
    for spend in (86, 96):
        assert pair.ask(["fast"], at_once=1, key=f"spent_two{_RUN}_{spend}") == [200]
        wait(lambda: all(_of(one, "two") for one in pair.receivers), 10)
    return _budgets(pair, "two", 2)


def webhook_500(pair: Pair) -> Row:
    """Send ten calls in turn with a key at 86 of 100 while the budget webhook answers 500. Then it recovers."""
    pair.control()
    for one in pair.receivers:
        one.answer = lambda _number, path: (500, {}, 0.0) if path == "/budgets" else OK
    for _ in range(10):
        assert pair.ask(["fast"], at_once=1, key=f"spent_fails{_RUN}_86") == [200]
        time.sleep(0.2)
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK
    wait(lambda: bool(_of(pair.ours, "fails")), 20)
    time.sleep(SETTLE_SECONDS)
    return Row(*map(_refused, pair.receivers))


def _refused(one: Receiver) -> Side:
    posts = [post for post in one.posts if post.path == "/budgets" and post.body["key_alias"] == f"fails{_RUN}"]
    taken = sum(post.status == 200 for post in posts)
    refused = len(posts) - taken
    chat = len([post for post in one.taken("`budget_alerts`") if f"fails{_RUN}" in post.text])
    ledger = Ledger(
        2, min(1, taken) + min(1, chat), duplicated=max(0, taken - 1) + max(0, chat - 1), messages=taken + chat
    )
    return Side(ledger, f"{taken} taken, after {refused} refused; {chat} in the chat")


def same_id(pair: Pair) -> Row:
    """Use up the budgets of a user and of a team with the same id."""
    pair.control()
    name = f"acme{_RUN}"
    own_class.run("same_id", f"{pair.theirs.url}/slack", name)
    now = datetime.now(UTC)
    full = [
        Budget(scope=scope, entity_id=name, spend_nanos=100_000_000_000, max_nanos=100_000_000_000)
        for scope in (BudgetScope.USER, BudgetScope.TEAM)
    ]
    call = RequestSucceeded(
        call_id=name,
        started_at=now,
        ended_at=now,
        occurred_at=now,
        model_group="fast",
        cost_nanos=0,
        budgets=tuple(full),
    )
    publish(pair.stack, call)
    pair.settle(lambda one: len(_about(one, name)) > 1)
    sides = []
    for one in pair.receivers:
        reported = len(_about(one, name))
        ledger = Ledger(2, min(2, reported), duplicated=max(0, reported - 2), messages=reported)
        sides.append(Side(ledger, f"{reported} of 2 reported"))
    return Row(*sides)


def _about(one: Receiver, name: str) -> list[str]:
    return [post.text for post in one.taken("`budget_alerts`") if name in post.text]


def budget_by_four(pair: Pair, name: str) -> Row:
    """Send 40 calls with a key at 86 of 100, spread over four processes."""
    pair.control()
    assert set(pair.ask(["fast"] * 40, at_once=8, key=f"spent_{name}{_RUN}_86")) == {200}
    return _budgets(pair, name, 1)


def outage_by_four(pair: Pair) -> Row:
    """Make 40 calls of one deployment fail, spread over four processes."""
    pair.control()
    pair.ask([SEEN_BY_FOUR] * 40, at_once=8)
    wait(lambda: bool(outage(pair.ours.taken(SEEN_BY_FOUR)).ledger.delivered), 20)
    time.sleep(SETTLE_SECONDS)
    return Row(*(outage(one.taken(SEEN_BY_FOUR)) for one in pair.receivers))


def _budgets(pair: Pair, name: str, raised: int) -> Row:
    """Count the budget events that each side posted for a key, by their text."""
    wait(lambda: len(_of(pair.ours, name)) >= raised, 20)
    time.sleep(SETTLE_SECONDS)
    sides = []
    for one in pair.receivers:
        said = Counter(_of(one, name))
        ledger = Ledger(raised, min(raised, len(said)), duplicated=said.total() - len(said), messages=said.total())
        sides.append(Side(ledger, plural(said.total(), "post")))
    return Row(*sides)


def _of(one: Receiver, name: str) -> list[str]:
    alias = f"{name}{_RUN}"
    posts = [post.body for post in one.posts if post.path == "/budgets"]
    return [str(body["event_message"]) for body in posts if body["key_alias"] == alias]
