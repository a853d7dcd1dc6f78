"""The weekly fallback report: how many calls a fallback saved, and how many failed nevertheless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.tables import MAX_ROWS, Column, Table, Unit
from alertworker.ledger.reader import LedgerReader
from alertworker.ledger.rows import FallbackSums, SpendSums
from alertworker.reports.periods import Period
from alertworker.reports.report import Report, ReportKind, Section, shorten_name, spell_days
from alertworker.reports.tables import plain_table

#: The number of pairs of models in a message: a pair needs more space than a single name.
MAX_PAIRS: Final = 5


_COLUMNS: Final = (
    Column(name="Asked for"),
    Column(name="Used"),
    Column(name="Saved", unit=Unit.COUNT),
    Column(name="Failed", unit=Unit.COUNT),
)


def fallbacks(ledger: LedgerReader, period: Period, zone: str, team_id: str | None = None) -> Report | None:
    """Return the report of a week, or ``None`` if no call used a fallback. There is none for a single team."""
    del team_id
    pairs = ledger.fallbacks(period.days)
    if not pairs:
        return None
    before = ledger.fallbacks(period.before).values()
    saved, failed = sum(sums.succeeded for sums in pairs.values()), sum(sums.failed for sums in pairs.values())
    ordered = sorted(pairs.items(), key=lambda item: (-item[1].succeeded - item[1].failed, item[0]))
    parts = [
        f"{shorten_name(asked)} → {shorten_name(used)} {sums.succeeded:,} saved, {sums.failed:,} failed"
        for (asked, used), sums in ordered[:MAX_PAIRS]
    ]
    if len(ordered) > MAX_PAIRS:
        parts.append(f"and {len(ordered) - MAX_PAIRS:,} more")
    rows = tuple(
        {"asked": asked, "used": used, "succeeded": sums.succeeded, "failed": sums.failed}
        for (asked, used), sums in ordered
    )
    week = spell_days(period.days.first, period.days.last)
    calls_before = f"{sum(sums.succeeded for sums in before):,} saved, {sum(sums.failed for sums in before):,} failed"
    return Report(
        ReportKind.FALLBACKS,
        AlertType.FALLBACK_REPORTS,
        f"Fallbacks {week} ({zone}): {saved:,} calls saved, {failed:,} still failed",
        period,
        SpendSums(),
        SpendSums(),
        (Section("By model", rows, " · ".join(parts), _table(ordered)),),
        {"The week before": calls_before},
    )


def _table(pairs: Sequence[tuple[tuple[str, str], FallbackSums]]) -> Table | None:
    rows = [(asked, used, sums.succeeded, sums.failed) for (asked, used), sums in pairs]
    return plain_table("By model", _COLUMNS, rows, size=MAX_ROWS)
