"""The daily report: the day's spend, the slowest deployments, and those with the most failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.tables import Column, Unit, show
from alertworker.ledger.reader import DeploymentDays, LedgerReader
from alertworker.reports.periods import Period
from alertworker.reports.report import Report, ReportKind, Section, shorten_name
from alertworker.reports.spend import report
from alertworker.reports.tables import plain_table
from alertworker.text.names import short_id, with_id
from alertworker.text.shorten import ELLIPSIS, shorten

#: The number of deployments in each list, as in LiteLLM's report.
MAX_DEPLOYMENTS: Final = 5
#: With fewer timed calls than this, a deployment's latency is not meaningful.
MIN_CALLS: Final = 10
_SLOWEST: Final = "Slowest, per output token"
_FAILING: Final = "Most failed attempts"
#: The maximum length of a deployment's title, in characters: its region comes last.
_MAX_TITLE: Final = 60
_NAME: Final = Column(name="Deployment")
_CALLS: Final = Column(name="Calls", unit=Unit.COUNT)
_ATTEMPTS: Final = Column(name="Attempts", unit=Unit.COUNT)


def daily(ledger: LedgerReader, period: Period, zone: str, team_id: str | None = None) -> Report | None:
    """Return the daily report, or ``None`` if there were no calls that day or the day before."""
    spent = report(ReportKind.DAILY, "Daily report", ledger, period, zone, team_id)
    if spent is None:
        return None
    deployments = ledger.deployments(period.days)
    sections = (*spent.sections, _slowest(deployments), _failing(deployments))
    return replace(spent, type=AlertType.DAILY_REPORTS, sections=sections)


def _slowest(deployments: Sequence[DeploymentDays]) -> Section:
    timed = [one for one in deployments if one.deployment_id and one.per_token.count >= MIN_CALLS]
    timed.sort(key=lambda one: (-one.per_token.mean, one.deployment_id))
    rows = [
        {
            "deployment": one.deployment_id,
            "alias": one.alias,
            "calls": one.per_token.count,
            "mean_seconds_per_token": one.per_token.mean,
            "p95_seconds_per_token": one.per_token.percentile(0.95),
            "slowest_seconds_per_token": one.per_token.longest,
        }
        for one in timed
    ]
    measured = [(one, one.per_token.mean, one.per_token.percentile(0.95), one.per_token.longest) for one in timed]
    parts = [
        f"{_name(one)} {_seconds(mean)}, p95 {_seconds(high)}, slowest {_seconds(longest)}"
        for one, mean, high, longest in measured[:MAX_DEPLOYMENTS]
    ]
    shown = [(_name(one), mean, high, longest, one.per_token.count) for one, mean, high, longest in measured]
    columns = (_NAME, *(Column(name=name, unit=Unit.SECONDS) for name in ("Mean", "95 %", "Slowest")), _CALLS)
    table = plain_table(_SLOWEST, columns, shown, size=MAX_DEPLOYMENTS)
    return Section(_SLOWEST, tuple(rows), " · ".join(parts), table)


def _seconds(value: float) -> str:
    return show(value, Unit.SECONDS)


def _failing(deployments: Sequence[DeploymentDays]) -> Section:
    failing = sorted((one for one in deployments if one.failed), key=lambda one: (-one.failed, one.deployment_id))
    rows = [
        {
            "deployment": one.deployment_id,
            "alias": one.alias,
            "failed": one.failed,
            "attempts": sum(one.attempts.values()),
            "outcomes": dict(one.attempts),
        }
        for one in failing
    ]
    parts = [_rate(one) for one in failing[:MAX_DEPLOYMENTS]]
    columns = (_NAME, Column(name="Failed", unit=Unit.COUNT), Column(name="Rate", unit=Unit.PERCENT), _ATTEMPTS)
    counts = [(one, one.failed, sum(one.attempts.values())) for one in failing]
    shown = [(_name(one), failed, failed * 100 / attempts, attempts) for one, failed, attempts in counts]
    table = plain_table(_FAILING, columns, shown, size=MAX_DEPLOYMENTS)
    return Section(_FAILING, tuple(rows), " · ".join(parts), table)


def _rate(one: DeploymentDays) -> str:
    attempts = sum(one.attempts.values())
    return f"{_name(one)} {one.failed:,} of {attempts:,} ({show(one.failed * 100 / attempts, Unit.PERCENT)})"


def _name(one: DeploymentDays) -> str:
    if not one.deployment_id:
        return "no deployment"
    return with_id(shorten(one.title, _MAX_TITLE, ELLIPSIS), shorten_name(short_id(one.deployment_id)))
