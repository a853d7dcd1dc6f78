"""The names of the queues of the worker's own tasks."""

from __future__ import annotations

from typing import Final

DELIVERIES: Final = "alertworker.deliveries"
PERIODIC: Final = "alertworker.periodic"
