"""The cost of single calls of customers, for programs that want each one: LiteLLM's ``spend_tracked``."""

from __future__ import annotations

from collections.abc import Iterable

from alertworker.alerts.alert import Subject
from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures, owner_names
from alertworker.alerts.call_description import call_labels
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.events import BudgetReported, BudgetScope, EndEvent
from alertworker.events.base import new_id
from alertworker.money import spell_dollars


def tracked(events: Iterable[EndEvent | BudgetReported]) -> Iterable[Subject]:
    """Yield the subject of one message for each call. No alert is raised for it."""
    for event in events:
        labels = call_labels(event) if isinstance(event, EndEvent) else event.attribution.labels()
        figures = _figures(event)
        yield Subject(
            id=str(new_id()),
            type=AlertType.BUDGET_ALERTS,
            severity=Severity.LOW,
            headline=f"Customer {figures.entity_id}: {spell_dollars(figures.spend_nanos)}",
            labels=labels | {"customer": figures.entity_id},
            first_at=event.occurred_at,
            last_at=event.occurred_at,
            figures=figures,
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
        # The team's addresses are for its own budget alerts; a single call is sent to none of them.
        **owner_names(event.attribution._replace(customer_id=customer or "", alert_emails="")),
    )
