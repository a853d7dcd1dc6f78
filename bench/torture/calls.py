"""Calls: which alerts each side sends about outages, hanging calls, cooldowns and callers' own errors."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bench.torture.ledger import Ledger, Row, Side, counted, occurrences, plural
from bench.torture.pair import CONTROL, SETTLE_SECONDS, THRESHOLD, Pair, Setup, wait
from tests.acceptance.receiver import Post, Receiver
from tests.acceptance.test_proxy_faults import hang

ALONE, BUSY, REGION, CAPPED, LIMITED = (
    "status-503-alone",
    "status-503-busy",
    "status-503-region",
    "status-503-capped",
    "status-429-limited",
)
STALLS, DRIPS, HANGS, BAD = "stall-12", "drip-0.1-8", "hang-8", "status-400-callers"
OUTAGES: Final = Setup(("outage_alerts",), ("fast", ALONE, BUSY))
LIST_CAP: Final = Setup(("outage_alerts",), (CAPPED,), {"alerting_args": {"major_outage_alert_threshold": 20}})
STREAMS: Final = Setup(("llm_requests_hanging",), (STALLS, DRIPS))
HUNG: Final = Setup(("llm_requests_hanging",), (HANGS,))
_LEVEL: Final = re.compile(r"\b(Minor|Major) Service Outage")
HANGING: Final = "Requests are hanging"


def _in_a_region(config: dict[str, Any]) -> dict[str, Any]:
    return _twice(config, REGION, {"region_name": "eu-west-1"})


def _cooling(config: dict[str, Any]) -> dict[str, Any]:
    config["router_settings"]["disable_cooldowns"] = False
    return _twice(config, LIMITED, {})


def _twice(config: dict[str, Any], name: str, more: dict[str, Any]) -> dict[str, Any]:
    """Configure two deployments for a model."""
    [one] = [model for model in config["model_list"] if model["model_name"] == name]
    config["model_list"].remove(one)
    config["model_list"] += [
        one | {"litellm_params": one["litellm_params"] | more, "model_info": {"id": f"{name}-{number}"}}
        for number in (1, 2)
    ]
    return config


REGIONS: Final = Setup(("region_outage_alerts",), (REGION,), adapt=_in_a_region)
COOLDOWNS: Final = Setup(("cooldown_deployment",), (LIMITED,), adapt=_cooling)
CALLERS: Final = Setup((), ("fast", BAD))


def outage_alone(pair: Pair) -> Row:
    """Make 40 calls of one deployment fail, without any other traffic."""
    pair.control()
    pair.ask([ALONE] * 40, at_once=8)
    return _outage(pair, ALONE)


def outage_in_traffic(pair: Pair) -> Row:
    """Make 40 calls of one deployment fail among 320 successful calls of another."""
    pair.control()
    models = ["fast"] * 320 + [BUSY] * 40
    random.Random(3).shuffle(models)
    answers = pair.ask(models, at_once=8)
    assert answers.count(200) == 320
    return _outage(pair, BUSY)


def outage_list_cap(pair: Pair) -> Row:
    """Make 50 calls fail, with a threshold of 20 for a major outage."""
    pair.control()
    pair.ask([CAPPED] * 50, at_once=8)
    return _outage(pair, CAPPED)


def region_outage(pair: Pair) -> Row:
    """Make 25 calls fail over two deployments of one region."""
    pair.control()
    pair.ask([REGION] * 25, at_once=8)
    return _outage(pair, "eu-west-1")


def cooldown(pair: Pair) -> Row:
    """Send three calls to two deployments at their limit, which the router then cools down."""
    pair.control()
    pair.fail(LIMITED, 3)
    pair.settle(lambda one: len(one.taken("`cooldown_deployment`")) >= 2)
    return Row(*(occurrences(2, one.taken("`cooldown_deployment`")) for one in pair.receivers))


def stalled_stream(pair: Pair) -> Row:
    """Stop a stream for 12 s after its first chunk."""
    pair.control()
    assert pair.ask([STALLS], at_once=1, stream=True) == [200]
    pair.settle(lambda one: bool(hanging(one, STALLS)))
    return Row(*(occurrences(1, hanging(one, STALLS)) for one in pair.receivers))


def false_hanging(pair: Pair, calls: int = 600) -> Row:
    """Run 600 streams of less than 1 s each, 12 at a time. A stream over the threshold may raise an alert."""
    pair.control()

    def ask(_number: int) -> float:
        began = time.monotonic()
        assert pair.proxy.ask(DRIPS, stream=True)[0] == 200
        return time.monotonic() - began

    with ThreadPoolExecutor(12) as pool:
        seconds = list(pool.map(ask, range(calls)))
    time.sleep(SETTLE_SECONDS)
    slow = sum(one > THRESHOLD for one in seconds)
    sides = []
    for one in pair.receivers:
        posts = hanging(one, DRIPS)
        reported = counted(posts)
        ledger = Ledger(0, 0, false=max(0, reported - slow), messages=len(posts))
        sides.append(Side(ledger, f"{reported} called hanging; {slow} took longer than {THRESHOLD} s"))
    return Row(*sides)


def hung_calls(pair: Pair, calls: int = 300) -> Row:
    """Make 300 calls hang for 8 s at once."""
    pair.control()
    asyncio.run(hang(pair.proxy, calls))
    pair.settle(lambda one: counted(hanging(one, HANGS)) >= calls)
    return Row(*(occurrences(calls, hanging(one, HANGS)) for one in pair.receivers))


def callers_errors(pair: Pair) -> Row:
    """Send ten calls without a valid key, and ten that the provider refuses as bad requests."""
    pair.control()
    before = [len(one.posts) for one in pair.receivers]
    anonymous = pair.ask(["fast"] * 10, at_once=2, key="sk-nobody")
    bad = pair.ask([BAD] * 10, at_once=2)
    assert set(anonymous) | set(bad) <= {400, 401}
    time.sleep(SETTLE_SECONDS)
    sides = []
    for one, start in zip(pair.receivers, before, strict=True):
        posts = [post for post in one.posts[start:] if CONTROL not in post.text]
        reported = counted(posts)
        sides.append(Side(Ledger(0, 0, false=reported, messages=len(posts)), f"{plural(reported, 'alert')}"))
    return Row(*sides)


def outage(posts: list[Post]) -> Side:
    """Return the result of one side in a scenario with one outage, which must be alerted by the time it is major."""
    found = [_LEVEL.search(post.text) for post in posts if "Resolved after" not in post.text]
    levels = Counter(level[1] for level in found if level)
    again = sum(count - 1 for count in levels.values())
    ledger = Ledger(1, min(1, levels["Major"]), duplicated=again, messages=levels.total())
    return Side(ledger, f"{levels['Minor']} minor, {levels['Major']} major")


def _outage(pair: Pair, containing: str) -> Row:
    wait(lambda: bool(outage(pair.ours.taken(containing)).ledger.delivered), 20)
    time.sleep(SETTLE_SECONDS)
    return Row(*(outage(one.taken(containing)) for one in pair.receivers))


def hanging(one: Receiver, model: str) -> list[Post]:
    """Return the messages about hanging calls of a model, without those about their end."""
    return [post for post in one.taken(model) if HANGING in post.text and "Resolved after" not in post.text]
