"""Messages of reports, built as the pipeline builds them: from a ledger, by period, late and on time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.compose import Installation, compose
from alertworker.alerts.message import Message, Step
from alertworker.ledger.reader import DeploymentDays
from alertworker.ledger.rows import FallbackSums
from alertworker.reports import REPORTS, Calendar, Report, ReportKind, late_note
from tests.contract.ledger_fake import FakeLedger, latency

ID: Final = "01a20a23-7752-7f27-b047-fa4b04cc253c"
BERLIN: Final = Calendar(ZoneInfo("Europe/Berlin"))
MONDAY: Final = date(2026, 11, 23)
HOSTILE: Final = (
    '<!channel> `=x` [a](https://evil.example) *b* <script>1</script> @everyone \u202egnp.exe "漢字" 👩‍👩‍👧‍👦'
)


def report_of(
    kind: ReportKind,
    ledger: FakeLedger,
    day: date = MONDAY,
    team_id: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> Report:
    """Return the report of the period that ended before a day. A report with ``notes`` is sent late."""
    spec = REPORTS[kind]
    period = spec.ending(BERLIN, day)
    report = spec.build(ledger, period, "Europe/Berlin", team_id)
    assert report is not None
    late = late_note(period, BERLIN.zone, now=period.due + timedelta(hours=30), patience=3_600) if notes else {}
    return replace(report, notes={**report.notes, **(notes or {}), **late})


def message_of(report: Report) -> Message:
    """Return the message of a report."""
    alert = report.alert()
    at = datetime(2026, 11, 23, 8, 0, 10, tzinfo=UTC)
    message = compose(alert.subject(ID), Step.NOTICE, at=at, here=Installation(public_url="https://alerts.example"))
    return message.model_copy(update={"attachments": alert.attachments})


def _weeks(ledger: FakeLedger, spend: Callable[[date, int], None]) -> FakeLedger:
    for number in range(14):
        spend(MONDAY - timedelta(days=number + 1), number)
    return ledger


def one_team() -> FakeLedger:
    """Return a ledger of one team, which was renamed in the week."""
    ledger = FakeLedger(names={("team", "t1"): "Search & Ranking"})
    return _weeks(ledger, lambda day, number: ledger.spend(day, 12.5 + number, "t1", requests=40))


def several() -> FakeLedger:
    """Return a ledger with every kind of entry."""
    teams = ("search", "billing", "support", "ranking", "research", "mobile", "growth", "sales", "docs", "security")
    ledger = FakeLedger(names={("team", team): team.capitalize() for team in teams}, lost={"buffer_full": 1_203})

    def spend(day: date, number: int) -> None:
        for place, team in enumerate(teams):
            dollars = (820.4 - 25 * number) / (place + 1) * (1.4 if number % 7 in (5, 6) and place % 2 else 1)
            tags = ("chat", "eu") if place % 3 == 0 else ("batch",) if place % 3 == 1 else ()
            ledger.spend(day, dollars, team, tags, requests=900 // (place + 1), failures=place)
        ledger.spend(day, 12.25, requests=30, zero_priced=17)

    return _weeks(ledger, spend)


def thousands() -> FakeLedger:
    """Return a ledger of 2,000 teams and their tags, some with names that need escaping."""
    ledger = FakeLedger(names={("team", "t1"): HOSTILE, ("team", "t2"): "x" * 200})
    for number in range(2_000):
        for day in (MONDAY - timedelta(days=2), MONDAY - timedelta(days=9)):
            ledger.spend(day, 5_000 - number, f"t{number}", (f"tag-{number % 700}", HOSTILE), requests=3)
    ledger.spend(MONDAY - timedelta(days=3), 88, tags=("tag-1",))
    return ledger


def deployments() -> list[DeploymentDays]:
    """Return fast and slow deployments."""
    names = {f"{number}f0c4a7e-0000": name for number, name in enumerate(("gpt-4o-eu", "gpt-4o-us", HOSTILE, "o3"))}
    found = [
        DeploymentDays(
            one,
            name,
            {"succeeded": 900, "Timeout": 20 * place, "RateLimitError": place},
            latency(*[20 + 30 * place] * 12),
            latency(),
            name,
        )
        for place, (one, name) in enumerate(names.items())
    ]
    return [*found, DeploymentDays("", "", {"RouterRateLimitError": 7}, latency(), latency())]


def _daily() -> Message:
    ledger = several()
    ledger.slow = deployments()
    return message_of(report_of(ReportKind.DAILY, ledger))


def _fallbacks() -> Message:
    pairs = {("gpt-4o", "claude-sonnet"): FallbackSums(212, 3), (HOSTILE, "o3"): FallbackSums(1, 9)}
    return message_of(report_of(ReportKind.FALLBACKS, FakeLedger(went=pairs)))


_LATE: Final = {"Budgets near their limit": "Team search 97 % · Tag batch 88 %"}
REPORT_CASES: Final[dict[str, Message]] = {
    "report_one_team": message_of(report_of(ReportKind.SPEND, one_team())),
    "report_late": message_of(report_of(ReportKind.SPEND, several(), notes=_LATE)),
    "report_own": message_of(report_of(ReportKind.SPEND, several(), team_id="search")),
    "report_thousands": message_of(report_of(ReportKind.SPEND, thousands())),
    "report_daily": _daily(),
    "report_monthly": message_of(report_of(ReportKind.MONTHLY, several(), date(2026, 12, 1))),
    "report_fallbacks": _fallbacks(),
}
