"""All scenarios: setup, fault, expected result, and the function that runs it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.torture import budgets, calls, delivery, reports, texts
from bench.torture.ledger import Row
from bench.torture.pair import Pair, Setup


@dataclass(frozen=True)
class Scenario:
    """One row. ``fault`` describes what happens to both sides, and ``expected`` which alerts a person should get."""

    setup: Setup
    run: Callable[[Pair], Row]
    fault: str
    expected: str


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "receiver-500": Scenario(
        delivery.RECEIVERS, delivery.receiver_500, "10 failures while the receiver answers 500 for 10 s", "all 10"
    ),
    "receiver-429": Scenario(
        delivery.RECEIVERS,
        delivery.receiver_429,
        "10 failures; the next post is answered with 429 and `Retry-After: 2`",
        "all 10",
    ),
    "receiver-down": Scenario(
        delivery.RECEIVERS, delivery.receiver_down, "10 failures while the port is closed for 10 s", "all 10"
    ),
    "receiver-slow": Scenario(
        delivery.RECEIVERS,
        delivery.receiver_slow,
        "60 failures, two a second; the receiver takes 3 s for an answer",
        "all 60",
    ),
    "receiver-well": Scenario(
        delivery.PROCESSES, delivery.receiver_well, "40 failures of one deployment; the receiver is well", "all 40"
    ),
    "sigkill": Scenario(
        delivery.PROCESSES, delivery.killed, "10 failures; 0.3 s later SIGKILL to the proxy and our workers", "all 10"
    ),
    "sigterm": Scenario(
        delivery.PROCESSES,
        partial(delivery.killed, number=signal.SIGTERM),
        "10 failures; 0.3 s later SIGTERM to the proxy and our workers",
        "all 10",
    ),
    "outage": Scenario(
        calls.OUTAGES, calls.outage_alone, "40 calls of one deployment fail, no others come", "one outage"
    ),
    "outage-in-traffic": Scenario(
        calls.OUTAGES, calls.outage_in_traffic, "40 calls of one deployment fail among 320 good ones", "one outage"
    ),
    "outage-high-threshold": Scenario(
        calls.LIST_CAP,
        calls.outage_list_cap,
        "50 calls fail; `major_outage_alert_threshold: 20`",
        "one outage, raised to major",
    ),
    "outage-four-processes": Scenario(
        budgets.FOUR_ALONE, budgets.outage_by_four, "40 calls of one deployment fail, over 4 processes", "one outage"
    ),
    "outage-four-with-redis": Scenario(
        budgets.FOUR_SHARED, budgets.outage_by_four, "the same; LiteLLM's processes share a Redis", "one outage"
    ),
    "region-outage": Scenario(
        calls.REGIONS,
        calls.region_outage,
        "25 calls fail over 2 deployments of a region; `alert_types: [region_outage_alerts]`",
        "one outage",
    ),
    "cooldown": Scenario(calls.COOLDOWNS, calls.cooldown, "the router cools two deployments down", "both"),
    "stalled-stream": Scenario(
        calls.STREAMS, calls.stalled_stream, "a stream stops for 12 s after its first chunk", "one hanging call"
    ),
    "false-hanging": Scenario(
        calls.STREAMS, calls.false_hanging, "600 streams of less than a second; `alerting_threshold: 3`", "none"
    ),
    "hung-calls": Scenario(calls.HUNG, calls.hung_calls, "300 calls hang for 8 s", "all 300"),
    "hung-for-an-hour": Scenario(
        reports.CLOCK,
        reports.hour_long_hang,
        "a call hangs for an hour, threshold 600 (LiteLLM's class, our callback's watch; clocks moved on)",
        "one hanging call",
    ),
    "callers-errors": Scenario(
        calls.CALLERS, calls.callers_errors, "10 calls without a valid key, 10 that the provider calls bad", "none"
    ),
    "budget-at-once": Scenario(
        budgets.ONE_PROCESS, budgets.budget_race, "10 calls at once of a key that is at 86 % of its budget", "one post"
    ),
    "budget-two-thresholds": Scenario(
        budgets.ONE_PROCESS, budgets.two_thresholds, "a key is at 86 %, soon after at 96 %", "both"
    ),
    "budget-webhook-500": Scenario(
        budgets.ONE_PROCESS,
        budgets.webhook_500,
        "10 calls of a key at 86 % while `WEBHOOK_URL` answers 500; then it is well",
        "one post, one message",
    ),
    "budget-same-id": Scenario(
        budgets.ONE_PROCESS,
        budgets.same_id,
        "a user, and a team of the same id, use up their budgets (LiteLLM's class; ours from an event)",
        "both",
    ),
    "budget-four-processes": Scenario(
        budgets.FOUR_ALONE,
        partial(budgets.budget_by_four, name="alone"),
        "40 calls of a key at 86 % over 4 processes",
        "one post",
    ),
    "budget-four-with-redis": Scenario(
        budgets.FOUR_SHARED,
        partial(budgets.budget_by_four, name="shared"),
        "the same; LiteLLM's processes share a Redis",
        "one post",
    ),
    "daily-report": Scenario(
        reports.DAILY, reports.daily_report, "a daily report each 30 s; watched for 90 s", "a report"
    ),
    "monthly-report": Scenario(
        reports.CLOCK,
        reports.monthly_report,
        "the 1st of a month (LiteLLM's class with a database's answer put in; clocks moved on)",
        "the report of the month that ended",
    ),
    "weekly-report": Scenario(
        reports.WEEK,
        reports.weekly_report,
        "a Monday; both are started twice (LiteLLM's class with a database's answer put in; clocks moved on)",
        "one report of seven days",
    ),
    "fallback-report": Scenario(
        reports.FALLBACKS,
        reports.fallback_report,
        "8 calls saved by a fallback, 2 still failed (LiteLLM's class with Prometheus' answer put in)",
        "8 saved, 2 failed",
    ),
    "prompt-leak": Scenario(
        texts.LEAKY,
        texts.leaks,
        "a call fails; its prompt, error, metadata (keys, values, nested), tag, users and key alias hold `<!channel>` "
        "and secrets",
        "one message with none of it",
    ),
    "key-leak": Scenario(
        texts.KEYS,
        texts.key_deleted,
        "a key is deleted (LiteLLM's class; ours by the relay, from LiteLLM's message)",
        "one message without the key",
    ),
    "health-test": Scenario(
        texts.TEXTS, texts.health_test, "`GET /health/services?service=slack`; the receiver answers 404", "no success"
    ),
    "webhook-test": Scenario(
        texts.WEBHOOK, texts.webhook_test, "`…?service=webhook`, twice; the receiver is well", "two posts"
    ),
    "mail-test": Scenario(texts.MAIL, texts.mail_test, "`…?service=email`; no mail server is set", "no success"),
}
