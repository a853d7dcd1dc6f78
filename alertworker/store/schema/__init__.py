"""The tables: all state that decisions depend on. Times are UTC; money is integer nano-dollars."""

from __future__ import annotations

from alertworker.store.schema import (
    alerts,
    batches,
    budgets,
    delivery,
    inhibitions,
    ledger,
    outages,
    processes,
    publishers,
    sessions,
)
from alertworker.store.schema.base import METADATA

#: `METADATA` knows a table only once the module that defines it is imported.
_MODULES = (alerts, batches, budgets, delivery, inhibitions, ledger, outages, processes, publishers, sessions)

__all__ = ["METADATA"]
