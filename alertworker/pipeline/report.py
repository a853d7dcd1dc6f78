"""Report: build the reports that are due by the calendar from the ledger, and send them like any other alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Unit, show
from alertworker.budgets.alert import name, share
from alertworker.budgets.readings import NEAR_LIMIT, BudgetKey
from alertworker.budgets.state import BudgetState
from alertworker.ledger.reader import LedgerReader
from alertworker.pipeline.deliver import wake
from alertworker.pipeline.isolation import run_each
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.clock import report_clock
from alertworker.reports import REPORTS, Calendar, Period, Report, ReportKind, due, late_note
from alertworker.reports.report import MAX_SHOWN, shorten_name

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Builds and sends reports. ``teams`` get reports of their own. A report is marked as late after ``patience`` s."""

    runtime: Runtime
    ledger: LedgerReader
    calendar: Calendar
    teams: tuple[str, ...] = ()
    patience: float = 3_600.0

    def send_due(self, *, now: datetime) -> int:
        """Send the reports that are due and not sent yet. Return the number of periods that were reported.

        A kind of report that fails does not stop the others.
        """
        steps = {f"report {kind.value}": partial(self._send_kind, kind, now=now) for kind in REPORTS}
        sent = sum(run_each(steps, self.runtime, now=now))
        if sent:
            wake(self.runtime, now=now)
        return sent

    def _send_kind(self, kind: ReportKind, *, now: datetime) -> int:
        """Send the reports of a kind that are due.

        A report of the day so far that was due before the first batch was applied is left out: it would
        have no data.
        """
        periods = list(due(kind, self.calendar, self._reported(kind), now=now))
        began = self.runtime.store.read(lambda tx: tx.batches.first_batch_at()) if periods else None
        return sum(
            self.send(kind, period, now=now)
            for period in periods
            if period.whole or began is None or began <= period.due
        )

    def send(self, kind: ReportKind, period: Period, *, now: datetime) -> bool:
        """Claim a period and write its reports in one transaction. Return false if it, or a later one, was claimed."""
        reports = list(self.build(kind, period, now=now))

        def work(tx: Transaction) -> bool:
            if not tx.clock.claim_later(report_clock(kind), period.until):
                return False
            for alert in sorted((report.alert() for report in reports), key=lambda alert: alert.fingerprint):
                claim(tx, alert, self.runtime, now=now)
            return True

        return self.runtime.store.run(work)

    def build(self, kind: ReportKind, period: Period, *, now: datetime) -> Iterable[Report]:
        """Yield the report of a period, then those of the teams that get their own, without empty ones."""
        spec, zone = REPORTS[kind], str(self.calendar.zone)
        newest = spec.ending(self.calendar, now.astimezone(self.calendar.zone).date())
        # The state of budgets is that of now, so a report of an earlier period leaves them out.
        present = period.until >= newest.until
        budgets = self.runtime.store.read(lambda tx: tx.budgets.live_budgets()) if present else {}
        dropped = {"Dropped": _dropped(self.ledger.dropped(period.days))}
        late = late_note(period, self.calendar.zone, now=now, patience=self.patience)
        for team_id in (None, *(self.teams if spec.by_team else ())):
            report = spec.build(self.ledger, period, zone, team_id)
            if report is not None:
                near = {"Budgets near their limit": _near(budgets, team_id, since=_known_since(period))}
                notes = {**report.notes, **near, **dropped, **late}
                yield replace(report, notes=notes, read_at=None if period.whole else now)

    def preview(self, report: Report, *, now: datetime) -> tuple[Message, tuple[str, ...]]:
        """Return the message of a report and its channels as people see them, without sending it."""
        subject = report.alert().subject("preview")
        message = compose(subject, Step.NOTICE, at=now, here=self.runtime.installation)
        channels = self.runtime.router.decide(subject.type, subject.routing_labels, now=now).channels
        return message, tuple(map(self.runtime.labels.of, channels))

    def _reported(self, kind: ReportKind) -> datetime | None:
        return self.runtime.store.read(lambda tx: tx.clock.read(report_clock(kind)))


def _dropped(events: Mapping[str, int]) -> str:
    """Return the note on how many events publishers dropped, and why.

    >>> _dropped({"buffer_full": 1_200, "spool_full": 3})
    '1,203 events, by publishers (buffer full 1,200, spool full 3); the sums may be short by them'
    """
    if not events:
        return ""
    reasons = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in events.items())
    return f"{sum(events.values()):,} events, by publishers ({reasons}); the sums may be short by them"


def _known_since(period: Period) -> datetime:
    """Return when a budget that never resets must have been reported last to be named: within a period or a week."""
    return period.until - max(_WEEK, period.days.last - period.days.first + timedelta(days=1))


def _near(budgets: Mapping[BudgetKey, BudgetState], team_id: str | None, *, since: datetime) -> str:
    """Return the names of the nearly used up budgets, of all teams or of one, the fullest first.

    A budget that never resets and was not reported since ``since`` is left out: its owner probably no longer exists.
    """
    readings = {key: state.reading for key, state in budgets.items()}
    alive = {key: one for key, one in readings.items() if one.reset_at is not None or one.at >= since}
    own = {key: one for key, one in alive.items() if team_id in (None, one.owner.team_id)}
    shares = [(share(reading) or 0.0, key, reading) for key, reading in own.items()]
    near = sorted((item for item in shares if item[0] >= NEAR_LIMIT), key=lambda item: (-item[0], item[1].stored))
    parts = [
        f"{shorten_name(name(key, reading))} {show(used, Unit.PERCENT)}" for used, key, reading in near[:MAX_SHOWN]
    ]
    if len(near) > MAX_SHOWN:
        parts.append(f"and {len(near) - MAX_SHOWN:,} more")
    return " · ".join(parts)
