"""Isolation: a periodic task runs each step by itself, so that a failing step does not stop the others."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from alertworker.errors import StoreUnavailable
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.batches import CounterName
from alertworker.ports.clock import FAILING, failure_clock

_T = TypeVar("_T")
_log: Final = logging.getLogger(__name__)


def run_each(steps: Mapping[str, Callable[[], _T]], runtime: Runtime, *, now: datetime) -> list[_T]:
    """Run named steps in order, each in transactions of its own. Return the results of those that succeeded.

    A step that fails is counted and logged, and the others run. So do they if one step finds the database unavailable,
    because the step itself may have been too slow.

    Raises:
        StoreUnavailable: two steps in a row found the database unavailable, or one did, and the others have run.
    """
    done: list[_T] = []
    away: StoreUnavailable | None = None
    was_away = False
    for name, step in steps.items():
        try:
            done.append(step())
        except StoreUnavailable as error:
            if was_away:
                raise
            away, was_away = error, True
        except Exception as error:  # noqa: BLE001 - the boundary of a step
            record_failure(name, error, runtime, now=now)
            was_away = False
        else:
            was_away = False
    if away is not None:
        raise away
    return done


def record_failure(name: str, error: Exception, runtime: Runtime, *, now: datetime) -> None:
    """Count a step's failure. Log the first one; its text may repeat data, so it is left out."""

    def count(tx: Transaction) -> bool:
        before = tx.clock.read(failure_clock(name))
        tx.clock.advance(failure_clock(name), now)
        tx.count(CounterName.FAILED_STEPS, name)
        return before is None or now - before > FAILING

    try:
        is_first = runtime.store.run(count)
    except Exception:  # noqa: BLE001 - the other steps must run
        is_first = True
    if is_first:
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("the step %s failed: %s; the other steps go on\n%s", name, type(error).__name__, where)
