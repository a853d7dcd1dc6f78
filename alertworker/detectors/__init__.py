"""Detectors: pure functions from a folded batch to alerts, one file per family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType
from alertworker.detectors import admin, cooldowns, llm, tracking
from alertworker.detectors.policy import Policy
from alertworker.folding import Fold

Detector = Callable[[Fold, Policy], Iterable[Alert]]

#: The detector of each type. A new one is a function in its family's file and a line here.
DETECTORS: Final[Mapping[AlertType, Detector]] = {
    AlertType.LLM_EXCEPTIONS: llm.exceptions,
    AlertType.LLM_TOO_SLOW: llm.too_slow,
    AlertType.COOLDOWN_DEPLOYMENT: cooldowns.cooled_down,
    AlertType.FAILED_TRACKING_SPEND: tracking.failed_tracking,
    **{one: partial(admin.changes, alert_type=one) for one in admin.TYPES.values()},
}

__all__ = ["DETECTORS", "Detector", "Policy"]
