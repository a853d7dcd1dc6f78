"""What single calls of customers cost, for the programs that want to know of each: LiteLLM's ``spend_tracked``."""

from __future__ import annotations

from collections.abc import Iterable

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures, owner_names
from alertworker.alerts.call_description import call_labels
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.events import BudgetReported, BudgetScope, EndEvent
from alertworker.events.base import new_id
from alertworker.money import spell_dollars


def tracked(events: Iterable[EndEvent | BudgetReported]) -> Iterable[OpenAlert]:
    """Give one for each call, in the form of an alert that is never raised: it is told once and kept by nobody."""
    for event in events:
        labels = call_labels(event) if isinstance(event, EndEvent) else event.attribution.labels()
        figures = _figures(event)
        yield OpenAlert(
            id=str(new_id()),
            type=AlertType.BUDGET_ALERTS,
            severity=Severity.LOW,
            headline=f"Customer {figures.entity_id}: {spell_dollars(figures.spend_nanos)}",
            labels=labels | {"customer": figures.entity_id},
            facts={},
            metadata={},
            count=1,
            told=0,
            summaries=0,
            first_at=event.occurred_at,
            last_at=event.occurred_at,
            figures=figures,
            opened=True,
        )


def _figures(event: EndEvent | BudgetReported) -> BudgetFigures:
    if isinstance(event, EndEvent):
        cost, customer = event.cost_nanos, event.customer_id
        limits = [budget.max_nanos for budget in event.budgets if budget.scope is BudgetScope.CUSTOMER]
        most = next(iter(limits), None)
    else:
        cost, customer, most = event.spend_nanos, event.entity_id, event.max_nanos
    return BudgetFigures(
        event=BudgetEvent.SPEND_TRACKED,
        scope=BudgetScope.CUSTOMER,
        entity_id=customer or "",
        spend_nanos=cost or 0,
        max_nanos=most,
        # The team's addresses are those of its own budget alerts; a single call goes to none of them.
        **owner_names(event.attribution._replace(customer_id=customer or "", alert_emails="")),
    )
