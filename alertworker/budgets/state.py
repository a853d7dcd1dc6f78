"""The states of budgets: readings merged, and the limits they reach. Pure; money in nano-dollars.

A proxy's figure is from the time when it authorised the call, and each of its processes has its own copy. So figures
arrive late and out of order, and the highest spend of a period counts. A period is identified by its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.budgets.readings import Reading

#: How long after the last report of a limit a lower limit counts as another process's old copy. The same holds for an
#: earlier end of the period.
STALE: Final = timedelta(minutes=5)
#: How long a proxy may keep reporting an old figure: of a period that has ended, or from before a reset.
_LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A reading, and what was notified of it in its period.

    ``notified_nanos`` is the amount of the highest limit that was notified (0: none), and ``level`` is how often it
    rose. ``closed`` is true if the period is over and no channel is notified of it any more.
    """

    reading: Reading
    notified_nanos: int = 0
    level: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount that people are notified of when it is reached.

    ``share`` is in per cent, if it is a share of the maximum.
    """

    event: BudgetEvent
    nanos: int
    share: int | None = None


def merge(known: Reading, new: Reading) -> Reading:
    """Merge two readings of one budget; the order does not matter while limits do not sink.

    Of two periods only the later one counts. Within one period the highest spend and limits count. They count until a
    lower limit is reported more than `STALE` after the last report of the higher one.
    """
    if _period(known) != _period(new):
        return max(known, new, key=_period)
    maximum, soft, limits_at = _limits(known, new)
    lower, higher = sorted((known, new), key=lambda reading: reading.spend_nanos)
    equal = lower.spend_nanos == higher.spend_nanos
    earlier, later = sorted((known, new), key=lambda reading: (reading.at, reading.owner))
    return Reading(
        at=later.at,
        limits_at=limits_at,
        spent_at=min(lower.spent_at, higher.spent_at) if equal else higher.spent_at,
        high_at=max(lower.high_at, higher.high_at) if equal else higher.high_at,
        spend_nanos=higher.spend_nanos,
        max_nanos=maximum,
        soft_nanos=soft,
        duration=max(known.duration or "", new.duration or "") or None,
        reset_at=known.reset_at,
        rejected_at=max((at for at in (known.rejected_at, new.rejected_at) if at), default=None),
        owner=earlier.owner.updated(later.owner),
        shares=later.shares,
        part=max(known.part, new.part),
    )


def advance(known: BudgetState | None, new: Reading) -> BudgetState:
    """Return the state of a budget after a reading; a later period starts from zero, an earlier one changes nothing.

    A period that was cut short starts from zero, too, once the later end is not reported any more. So does a spend
    that was reset: a figure of less than half, long after the last report of the higher one.
    """
    if known is None or _period(new) > _period(known.reading) or _undated(known, new):
        return BudgetState(new)
    if _cut_short(known.reading, new) or _set_back(known.reading, new):
        return BudgetState(new)
    return replace(known, reading=merge(known.reading, new))


def _cut_short(known: Reading, new: Reading) -> bool:
    """Return whether the period now ends earlier: its end is ahead, and the later end was not reported for a while.

    So a period that has ended does not come back, and neither does another process's old copy of one.
    """
    if known.reset_at is None or new.reset_at is None:
        return False
    return new.at < new.reset_at < known.reset_at and new.at > known.at + STALE


def _undated(known: BudgetState, new: Reading) -> bool:
    """Return whether a budget has no periods any more: its last one ended long ago, and no other is reported."""
    end = known.reading.reset_at
    return known.closed and end is not None and new.reset_at is None and new.at > end + _LATE


def _set_back(known: Reading, new: Reading) -> bool:
    same = _period(known) == _period(new)
    return same and new.spend_nanos * 2 < known.spend_nanos and new.at > known.high_at + _LATE


def reached(reading: Reading) -> Limit | None:
    """Return the highest limit that the spend has reached; ``None`` if it has reached none."""
    return max((limit for limit in _amounts(reading) if reading.spend_nanos >= limit.nanos), key=_rank, default=None)


class BudgetUse(StrEnum):
    """How far a budget is used."""

    OPEN = "open"  #: no limit is reached
    SOFT_BUDGET = "soft budget"
    SHARE = "share"  #: a share below 100 %
    USED_UP = "100 %"
    ENDED = "ended"  #: its period is over


def use_of(state: BudgetState) -> BudgetUse:
    """Return how far a budget is used."""
    if state.closed:
        return BudgetUse.ENDED
    limit = reached(state.reading)
    if limit is None:
        return BudgetUse.OPEN
    if limit.share is None:
        return BudgetUse.SOFT_BUDGET
    return BudgetUse.SHARE if limit.share < 100 else BudgetUse.USED_UP


def spell_state(state: BudgetState) -> str:
    """Return how far a budget is used: "open", the share that is reached ("85 %"), "soft budget" or "ended"."""
    use, limit = use_of(state), reached(state.reading)
    return f"{limit.share} %" if use is BudgetUse.SHARE and limit is not None else use.value


def next_limit(reading: Reading) -> Limit | None:
    """Return the lowest limit that the spend has not reached; ``None`` if it has reached all."""
    return min((limit for limit in _amounts(reading) if reading.spend_nanos < limit.nanos), key=_rank, default=None)


def _amounts(reading: Reading) -> Iterable[Limit]:
    """Yield the amounts to notify of. A budget of 0 is used up before the first call, and has no shares.

    A soft budget above the maximum is left out: calls are refused before it is reached.
    """
    if reading.soft_nanos is not None and (reading.max_nanos is None or reading.soft_nanos < reading.max_nanos):
        yield Limit(BudgetEvent.SOFT_BUDGET_CROSSED, reading.soft_nanos)
    if reading.max_nanos is not None:
        for share in reading.shares if reading.max_nanos > 0 else ():
            yield Limit(BudgetEvent.THRESHOLD_CROSSED, -(-reading.max_nanos * share // 100), share)
        yield Limit(BudgetEvent.BUDGET_CROSSED, reading.max_nanos, 100)


def _rank(limit: Limit) -> tuple[int, int]:
    """Return the order of limits. Of two equal amounts the maximum wins."""
    return limit.nanos, limit.share or 0


def _limits(known: Reading, new: Reading) -> tuple[int | None, int | None, datetime]:
    earlier, later = sorted((known, new), key=lambda reading: reading.limits_at)
    lower = (later.max_nanos is not None and later.max_nanos < (earlier.max_nanos or 0)) or (
        later.soft_nanos is not None and later.soft_nanos < (earlier.soft_nanos or 0)
    )
    if lower and later.limits_at - earlier.limits_at > STALE:
        maximum = earlier.max_nanos if later.max_nanos is None else later.max_nanos
        soft = earlier.soft_nanos if later.soft_nanos is None else later.soft_nanos
        return maximum, soft, later.limits_at
    # An old copy of the limits must not make the present ones look fresher than they are.
    limits_at = earlier.limits_at if lower else later.limits_at
    return _highest(known.max_nanos, new.max_nanos), _highest(known.soft_nanos, new.soft_nanos), limits_at


def _highest(one: int | None, other: int | None) -> int | None:
    return max((amount for amount in (one, other) if amount is not None), default=None)


def _period(reading: Reading) -> datetime:
    """Return the name of the period. A period with an unknown end sorts before all others."""
    return reading.reset_at or datetime.min.replace(tzinfo=UTC)
