"""Notices that a condition explains: they have its label, and it inhibits them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.ports import Transaction

#: The labels by which a condition inhibits what it explains.
_LABELS: Final = ("credential", "key")
_NOTICES: Final = (AlertType.LLM_EXCEPTIONS, AlertType.COOLDOWN_DEPLOYMENT)
#: How long a notice collects late occurrences after the end of the condition that explained it.
_SETTLES: Final = timedelta(minutes=5)


def keep_explanation(tx: Transaction, claimed: OpenAlert, alert: Alert) -> None:
    """Store the labels of a condition that explains an alert, if the alert opened before the condition."""
    names = _LABELS if alert.type is not AlertType.LLM_EXCEPTIONS else ("credential",)  # its calls have many keys
    added = {name: alert.labels[name] for name in names if name in alert.labels and name not in claimed.labels}
    if added:
        tx.alerts.relabel(claimed.id, {**claimed.labels, **added})


def without_other_keys(tx: Transaction, claimed: OpenAlert, alert: Alert) -> OpenAlert:
    """Return an open alert about failed calls. It loses the label of its key once calls of another key fail, too."""
    labels = claimed.labels
    if claimed.type is not AlertType.LLM_EXCEPTIONS or claimed.opened or "key" not in labels:
        return claimed
    if {**alert.identity, **alert.labels}.get("key") == labels["key"]:
        return claimed
    kept = {name: value for name, value in labels.items() if name != "key"}
    tx.alerts.relabel(claimed.id, kept)
    return replace(claimed, labels=kept)


def settle_explained(tx: Transaction, label: str, values: Iterable[str], *, now: datetime) -> None:
    """Count the notices that conditions explained as notified, so no summary of them follows the conditions' end.

    A notice about which nothing was sent stays unannounced. The notices of all conditions are locked by one statement,
    because ingest locks them in the same order.
    """
    known = {value for value in values if value}
    named = tx.alerts.labelled_alerts(label, known, _NOTICES) if known else ()
    for _, alert in sorted(tx.alerts.find_all_open(named).items()):
        tx.occurrences.take_parts(alert.id)
        tx.alerts.count_as_notified(alert, next_summary_at=now + _SETTLES, now=now)
