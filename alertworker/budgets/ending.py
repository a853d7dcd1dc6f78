"""The last facts of a budget's alert: what was spent in the end, and why the alert is over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.budgets.alert import spend_text
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.money import spell_dollars
from alertworker.text.format import spell_moment

#: Facts that held only while the limit was reached.
_OVER: Final = frozenset({"Spend", "Requests", "Pace", "Figure", "Resets", "Soft budget"})


def closing_facts(
    key: BudgetKey, facts: Mapping[str, str], before: Reading, after: Reading, zone: ZoneInfo
) -> dict[str, str]:
    """Return the facts of the message that resolves a budget's alert.

    ``before`` is the budget when its alert was last open, and ``after`` is the budget now.
    """
    state = _state(before, after, zone)
    last = after if before.reset_at == after.reset_at and after.spend_nanos >= before.spend_nanos else before
    limit = after.max_nanos
    passes = not key.is_own and (last is before or limit is None or after.spend_nanos < limit or after is before)
    current = {"Spend": spend_text(last), "State": state, "Requests": "pass again" if passes else ""}
    kept = {label: text for label, text in facts.items() if label not in _OVER}
    return {label: text for label, text in current.items() if text} | kept


def _state(before: Reading, after: Reading, zone: ZoneInfo) -> str:
    """Return why the alert is over."""
    if after.reset_at != before.reset_at:
        if before.reset_at is None or after.at < before.reset_at:
            return "a new period began"
        return f"the period ended at {spell_moment(before.reset_at, zone)}"
    if after.spend_nanos < before.spend_nanos:
        return "the spend was reset"
    if _limit(after) != _limit(before):
        return f"the limit is now {spell_dollars(_limit(after))}"
    return f"the period ended at {spell_moment(before.reset_at, zone)}" if before.reset_at is not None else ""


def _limit(reading: Reading) -> int:
    return (reading.max_nanos if reading.max_nanos is not None else reading.soft_nanos) or 0
