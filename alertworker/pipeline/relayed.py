"""Alerts relayed from LiteLLM's own alerting. If the callback reports the same, the two are one alert."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import REPORTS, AlertType
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.detectors import DETECTORS, Policy, admin, relayed
from alertworker.folding import Fold
from alertworker.pipeline.publishers import SILENCE
from alertworker.ports import PublisherPort, Transaction
from alertworker.ports.clock import change_clock

#: The integration that LiteLLM's callback names in its publisher's heartbeats.
LITELLM: Final = "litellm"
#: Types that no detector raises, but a step of the pipeline or the clock. The callback covers these, too.
WITHOUT_DETECTOR: Final = (
    AlertType.LLM_REQUESTS_HANGING,
    AlertType.OUTAGE_ALERTS,
    AlertType.REGION_OUTAGE_ALERTS,
    AlertType.BUDGET_ALERTS,
    AlertType.USER_SPEND_THRESHOLDS,
    AlertType.USER_SPEND_ANOMALIES,
    *sorted(REPORTS),
)
#: How long after a change LiteLLM's own alerting may report it: it sends one alert every 5 s.
_LATE: Final = timedelta(minutes=1)


def callback_is_live(publishers: PublisherPort, *, now: datetime) -> bool:
    """Return whether a LiteLLM callback is running, so that it covers the reports of LiteLLM's own alerting."""
    return publishers.is_live(LITELLM, since=now - SILENCE)


def relayed_alerts(tx: Transaction, folded: Fold, policy: Policy, users: UserPolicy, *, now: datetime) -> list[Alert]:
    """Return the alerts relayed from LiteLLM's own alerting.

    A running callback covers everything about calls. It publishes changes of keys, teams, users and models only if the
    proxy has audit logs enabled. So a published change covers the relayed changes of its type for `_LATE`.
    """
    for event in folded.changed:
        if (alert_type := admin.type_of(event)) is not None:
            tx.clock.advance(change_clock(alert_type), event.occurred_at)
    if not folded.relayed and not folded.changed_relayed:
        return []
    types = {admin.type_of(event) for event in folded.changed_relayed} | {AlertType.NEW_MODEL_ADDED}
    published = {
        one for one in types if one and (at := tx.clock.read(change_clock(one))) is not None and now - at < _LATE
    }
    by_calls = {*DETECTORS, *WITHOUT_DETECTOR} - {*admin.TYPES.values()}
    covered = by_calls if folded.relayed and callback_is_live(tx.publishers, now=now) else set()
    alerts = relayed.alerts(folded, covered | published, users)
    return [*alerts, *admin.relayed(folded.changed_relayed, published, policy)]
