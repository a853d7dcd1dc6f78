"""What LiteLLM's own alerting said, beside what its callback tells: one alert, however many ways it comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import REPORTS, AlertType
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.detectors import DETECTORS, admin, relayed
from alertworker.folding import Fold
from alertworker.pipeline.publishers import SILENCE
from alertworker.ports import PublisherPort, Transaction

#: How LiteLLM's callback names itself in its publisher's heartbeats.
LITELLM: Final = "litellm"
#: What is raised from events by steps of their own, which ask the store, or by the clock.
BESIDE_DETECTORS: Final = (
    AlertType.LLM_REQUESTS_HANGING,
    AlertType.OUTAGE_ALERTS,
    AlertType.REGION_OUTAGE_ALERTS,
    AlertType.BUDGET_ALERTS,
    AlertType.USER_SPEND_THRESHOLDS,
    AlertType.USER_SPEND_ANOMALIES,
    *sorted(REPORTS),
)
#: How long after a change LiteLLM's own alerting may speak of it: it sends every five seconds, one by one.
_LATE: Final = timedelta(minutes=1)


def is_covered(tx: PublisherPort, folded: Fold, *, now: datetime) -> bool:
    """Tell whether a callback lives, and so tells by itself what a batch holds of LiteLLM's own alerting."""
    return bool(folded.relayed or folded.tracked) and tx.is_live(LITELLM, since=now - SILENCE)


def judge_relayed(tx: Transaction, folded: Fold, users: UserPolicy, *, covered: bool, now: datetime) -> list[Alert]:
    """Give the alerts that LiteLLM's own alerting leads to; ``users`` is what we tell of users' spend ourselves.

    A living callback covers what each call tells. Of changes it tells only where the proxy has audit logs on; so a
    change covers the relayed ones of its type, for as long as its own copy may be on the way.
    """
    for event in folded.changed:
        if (kind := admin.type_of(event)) is not None:
            tx.mark_line(_moment(kind), event.occurred_at)
    if not folded.relayed and not folded.changed_relayed:
        return []
    asked = {AlertType.NEW_MODEL_ADDED, *(kind for event in folded.changed_relayed if (kind := admin.type_of(event)))}
    told = {kind for kind in asked if (at := tx.line(_moment(kind))) is not None and now - at < _LATE}
    by_calls = {*DETECTORS, *BESIDE_DETECTORS} - {*admin.TYPES.values()} if covered else set()
    return [*relayed.alerts(folded, by_calls | told, users), *admin.relayed(folded.changed_relayed, told)]


def _moment(kind: AlertType) -> str:
    return f"told {kind.value}"
