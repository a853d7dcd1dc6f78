"""The weekly fallback report: how many calls a fallback saved, and how many failed all the same."""

from __future__ import annotations

from typing import Final

from alertworker.alerts import AlertType
from alertworker.ledger import SpendSums
from alertworker.reports.model import Report, ReportKind, Section, short, spell_days
from alertworker.reports.periods import Period
from alertworker.spend_book import SpendBook

#: How many pairs of models a message names: two names each take more room than one.
MAX_PAIRS: Final = 5


def fallbacks(book: SpendBook, period: Period, zone: str, team_id: str | None = None) -> Report | None:
    """Give the report of a week; ``None`` where no call went to a fallback. It is never of one team."""
    del team_id
    pairs = book.fallbacks(period.days)
    if not pairs:
        return None
    before = book.fallbacks(period.before).values()
    saved, failed = sum(sums.succeeded for sums in pairs.values()), sum(sums.failed for sums in pairs.values())
    ordered = sorted(pairs.items(), key=lambda item: (-item[1].succeeded - item[1].failed, item[0]))
    parts = [
        f"{short(asked)} → {short(used)} {sums.succeeded:,} saved, {sums.failed:,} failed"
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
        f"Fallbacks {week} ({zone}): {saved:,} calls saved, {failed:,} failed all the same",
        period,
        SpendSums(),
        SpendSums(),
        (Section("By model", rows, " · ".join(parts)),),
        {"The week before": calls_before},
    )
