"""Calls that used tokens and have no known cost, so that the ledger is too low by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.call_description import model_of, name_call, newest_metadata, trace_link
from alertworker.alerts.catalogue import MAX_MEMBERS, AlertType, Severity
from alertworker.detectors.policy import Policy
from alertworker.events import RequestSucceeded
from alertworker.events.llm import UNKNOWN_MODEL
from alertworker.folding import Fold

#: LiteLLM's error for a name that its price list does not have.
_UNMAPPED: Final = "This model isn't mapped yet"


def failed_tracking(fold: Fold, policy: Policy) -> Iterable[Alert]:
    """Yield one alert for each model and provider whose calls have no price.

    A name that no price list has is the operator's own model, which often costs nothing. So its alert is Low. A model
    that should have a price is High: the ledger and the budgets lack its cost.
    """
    groups: dict[tuple[str, str], list[RequestSucceeded]] = {}
    for event in fold.unpriced:
        groups.setdefault((model_of(event), event.provider or ""), []).append(event)
    for (model, provider), events in groups.items():
        tokens = sum(event.prompt_tokens + event.completion_tokens for event in events)
        first = min(events, key=lambda event: event.occurred_at)
        facts = {"Request Model": model, "Model": first.model, "Provider": provider, "Tokens": f"{tokens:,}"}
        facts |= trace_link(first.trace_id, policy.langfuse_host) | {"Error": first.cost_failure}
        yield Alert(
            type=AlertType.FAILED_TRACKING_SPEND,
            severity=Severity.LOW if all(map(_is_unknown, events)) else Severity.HIGH,
            identity={"model": model, "provider": provider},
            headline=f"Spend is not tracked: calls of {model} have no price",
            first_at=first.occurred_at,
            last_at=max(event.occurred_at for event in events),
            count=len(events),
            labels={"model": model} | ({"provider": provider} if provider else {}),
            facts={label: value for label, value in facts.items() if value},
            members=tuple(name_call(event.call_id, metadata=event.alerting_metadata) for event in events[:MAX_MEMBERS]),
            metadata=newest_metadata(events),
        )


def _is_unknown(event: RequestSucceeded) -> bool:
    return (event.cost_failure or "").startswith((UNKNOWN_MODEL, _UNMAPPED))
