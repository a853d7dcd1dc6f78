"""Messages as the pipeline makes them, one for each case. The golden bodies are rendered from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from alertworker.alerts.advice import advise_in
from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.catalogue import TRACE, AlertType, Severity
from alertworker.alerts.compose import fired_and_resolved
from alertworker.alerts.message import Message, Step
from alertworker.delivery.coalescing import compose_digest
from alertworker.events import BudgetScope
from tests.contract.report_cases import REPORT_CASES

NOW: Final = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
ID: Final = "01a20a23-7752-7f27-b047-fa4b04cc253c"
_OUTAGE_FACTS: Final = {
    "Calls lost": "3 (search ×2, billing ×1)",
    "Calls saved": "26 by fallback, 2 by retry",
    "Attempts": "31 of 34 failed in 48 s",
    "Causes": "503 ×24, timeout ×7",
    "Threshold": "10 failed calls that are 10 % of the calls",
    "Request Model": "gpt-4o",
    "API Base": "https://azure-eastus-2.openai.example",
    "Deployment": "azure/gpt-4o in eastus2 (3f8a01c2…)",
    "Error": "The service is temporarily unable to process your request.\nPlease try again later.",
}


def message(**more: Any) -> Message:
    """Return a notice of failed calls. A test changes some of its fields."""
    fields: dict[str, Any] = {
        "alert_id": ID,
        "fingerprint": "f" * 32,
        "type": AlertType.LLM_EXCEPTIONS,
        "severity": Severity.HIGH,
        "step": Step.NOTICE,
        "headline": "LLM API call failed: gpt-4o · APIError 500",
        "at": NOW,
        "since": NOW - timedelta(seconds=5),
        "facts": {"Request Model": "gpt-4o", "Team": "search"},
        "labels": {"model": "gpt-4o", "team": "search"},
        "members": ("call-1 · search",),
    }
    made = Message(**fields | more)
    advice = advise_in(made.step, made.type, made.severity, made.labels)
    return made if "what_to_do" in more else made.model_copy(update={"what_to_do": advice})


def outage(**more: Any) -> Message:
    """Return an outage that fires. A test changes its step."""
    fields: dict[str, Any] = {
        "type": AlertType.OUTAGE_ALERTS,
        "severity": Severity.HIGH,
        "step": Step.FIRING,
        "headline": "Major Service Outage: azure/gpt-4o in eastus2",
        "since": NOW - timedelta(seconds=48),
        "count": 31,
        "total": 31,
        "facts": _OUTAGE_FACTS,
        "labels": {"model": "gpt-4o", "provider": "azure", "region": "eastus2", "deployment": "3f8a01c2" * 8},
        "members": ("call-1 · APIError 503 · search", "call-2 · Timeout · billing"),
        "members_more": 29,
        "proxy_url": "https://proxy.example",
    }
    return message(**fields | more)


def budget(**more: Any) -> Message:
    """Return a budget that is nearly used up."""
    figures = BudgetFigures(
        event=BudgetEvent.THRESHOLD_CROSSED,
        scope=BudgetScope.TEAM,
        entity_id="t1",
        spend_nanos=850_120_000_000,
        max_nanos=1_000_000_000_000,
        crossed=85,
        projected_nanos=1_830_000_000_000,
        projected_exceeded_on=date(2026, 11, 26),
        reset_at=datetime(2026, 12, 1, tzinfo=UTC),
        team_id="t1",
        team_alias="search",
    )
    facts = {
        "Spend": "$850.12 of $1,000",
        "Resets": "2026-12-01 00:00:00 UTC",
        "Pace": "$61 a day; full on 26 Nov; then requests are rejected",
    }
    fields: dict[str, Any] = {
        "type": AlertType.BUDGET_ALERTS,
        "step": Step.FIRING,
        "headline": "Team search: 85 % of budget",
        "since": NOW,
        "facts": facts,
        "labels": {"team": "search"},
        "members": (),
        "figures": figures,
    }
    return message(**fields | more)


def _resolved() -> Message:
    return outage(
        step=Step.RESOLVED,
        headline="Resolved after 6 min 40 s: Major Service Outage: azure/gpt-4o in eastus2",
        at=NOW + timedelta(minutes=6),
        count=181,
        total=212,
        facts={
            "Calls lost": "9 (search ×6, billing ×2, support ×1)",
            "Calls saved": "201 by fallback, 2 by retry",
            "Attempts": "212 of 212 failed in 6 min 38 s",
            "Causes": "503 ×180, timeout ×32",
            "Request Model": "gpt-4o",
        },
        members=(),
        members_more=0,
    )


def _digest() -> Message:
    waiting = [
        message(
            alert_id=f"01a20a23-0000-7000-8000-{number:012d}",
            headline=f"LLM API call failed: gpt-4o · RateLimitError 429 (deployment {number})",
            count=number,
        )
        for number in range(1, 12)
    ]
    return compose_digest([*waiting, _resolved()], since=NOW - timedelta(minutes=3), alert_id=ID, now=NOW)


#: A string from a caller. It is in every place where a caller's string may be.
_HOSTILE: Final = (
    "<!channel> @everyone <@U123> [click](https://evil.example) <https://evil.example|bank> `x` ```y``` <script>1"
    "</script> <at>Ada</at> *bold* \u202egnp.exe\u202c zero\u200bwidth \x1b[31mred\r\nBcc: victim@example.com"
)


def _hostile() -> Message:
    facts = {"Team": _HOSTILE, _HOSTILE: "x", "Family": "👩‍👩‍👧‍👦" * 90, "Error": f"{_HOSTILE}\n" * 3}
    return message(
        headline=_HOSTILE * 6,
        facts=facts | {f"Fact {number}": "x" for number in range(45)},
        members=(_HOSTILE,) * 3,
        members_more=1_241,
        metadata={_HOSTILE: _HOSTILE, "long": "漢字" * 1_000} | {f"key {number}": "x" for number in range(30)},
        labels={"model": _HOSTILE, "team": _HOSTILE},
        count=1_244,
        total=1_244,
    )


CASES: Final[Mapping[str, Message]] = REPORT_CASES | {
    "firing": outage(
        severity=Severity.MEDIUM,
        headline="Minor Service Outage: azure/gpt-4o in eastus2",
        facts={"Calls lost": "none so far", "Calls saved": "5 by fallback"}
        | {"Attempts": "6 of 9 failed in 41 s", "Causes": "503 ×6"}
        | dict(list(_OUTAGE_FACTS.items())[4:]),
        count=6,
        total=6,
        members_more=4,
    ),
    "raised": outage(zone="Europe/Berlin"),
    "reminder": outage(
        step=Step.REMINDER,
        headline="Still: Major Service Outage: azure/gpt-4o in eastus2",
        at=NOW + timedelta(hours=4),
        count=1_800,
        total=1_831,
    ),
    "annotated": outage(
        what_to_do="Call the platform team (#llm-oncall). They can switch <gpt-4o> to the other region.",
        runbook_url="https://wiki.example/LLM_(gateway)/outage?team=a&b",
        page_url="https://alerts.example/alerts/01a20a23",
    ),
    "resolved": _resolved(),
    "passed": fired_and_resolved(_resolved()),
    "budget": budget(),
    "tracked": budget(
        step=Step.TRACKED,
        headline="Customer acme: a call",
        facts={},
        labels={},
        figures=BudgetFigures(
            event=BudgetEvent.SPEND_TRACKED,
            scope=BudgetScope.CUSTOMER,
            entity_id="acme",
            customer_id="acme",
            spend_nanos=13_500,
        ),
    ),
    "notice": message(
        facts={
            "Request Model": "gpt-4o",
            "API Base": "https://api.openai.example",
            "Key Name": "prod-app (9c1d44e0…)",
            "Team": "search (team-1)",
            "User": "ann@example.com (user-7)",
            TRACE: "https://langfuse.example/trace/0af76519",
            "Error": "OpenAIException - The server had an error while processing your request.",
        },
    ),
    "metadata": message(metadata={"hello": "world", "run": "nightly-7"}),
    "summary": message(
        step=Step.SUMMARY,
        count=58,
        total=60,
        members_more=57,
        since=NOW - timedelta(hours=1),
        counted_since=NOW - timedelta(minutes=5),
    ),
    "digest": _digest(),
    "report": message(
        type=AlertType.SPEND_REPORTS,
        severity=Severity.LOW,
        headline="Spend 16 to 22 Nov 2026 (CET): $12,480 (+9 %)",
        since=NOW,
        facts={
            "By team": "search $4,102 (+31 %) · billing $2,950 (-2 %) · 37 more $1,020 · no team $88",
            "By tag": "batch $9,001 · chat $3,479",
            "Not priced": "1,204 requests had no price",
        },
        labels={},
        members=(),
    ),
    "fallback": message(
        type=AlertType.CHANNEL_BROKEN,
        step=Step.FIRING,
        headline="The channel SLACK_WEBHOOK_URL accepts no messages",
        since=NOW,
        facts={"Channel": "SLACK_WEBHOOK_URL", "Last answer": "answered 404 no_service"},
        labels={"channel": "SLACK_WEBHOOK_URL"},
        members=(),
    ),
    "test": message(
        step=Step.TEST,
        severity=Severity.LOW,
        headline="This is a test message of alertworker, sent as llm_exceptions",
        since=NOW,
        facts={},
        labels={},
        members=(),
    ),
    "hostile": _hostile(),
}
