"""LiteLLM's budget webhook (``alerting: ["webhook"]``, ``WEBHOOK_URL``): one JSON object for each event of a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.message import Message, Step
from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import BudgetScope
from alertworker.money import dollars_from_nanos

#: The ``event_group`` values of the page's specification, where they are other words than ours.
_PAGE_GROUPS: Final[Mapping[str, str]] = {BudgetScope.USER: "internal_user"}
#: Those that LiteLLM 1.106 sends (``Litellm_EntityType``).
_LITELLM_GROUPS: Final[Mapping[str, str]] = {BudgetScope.CUSTOMER: "end_user"}
#: The page knows no soft budget's event; crossing one is crossing a threshold.
_PAGE_EVENTS: Final = {BudgetEvent.SOFT_BUDGET_CROSSED: BudgetEvent.THRESHOLD_CROSSED}
#: Steps that are events of a budget. A receiver of this form knows no end and no reminder but the event again.
_STEPS: Final = frozenset({Step.NOTICE, Step.FIRING, Step.REMINDER, Step.TRACKED})
#: What a test sends: the sample of LiteLLM's alerting page.
_SAMPLE: Final = BudgetFigures(
    event=BudgetEvent.BUDGET_CROSSED,
    scope=BudgetScope.USER,
    entity_id="default_user_id",
    spend_nanos=1_000_000_000,
    max_nanos=0,
    key_hash="88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    user_id="default_user_id",
)


class BudgetForm(BaseModel):
    """What a budget webhook sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    format: Literal["page", "litellm"] = "page"
    """"page" has the fields and values of LiteLLM's alerting page, "litellm" those that LiteLLM 1.106 sends."""
    spend_tracked: bool = True
    """Also send an object for each call of a customer, as LiteLLM does."""


class BudgetWebhookConfig(BudgetForm, UrlConfig):
    """A receiver of budget events as JSON objects. Its URL is a secret."""

    kind: Literal["budget_webhook"] = "budget_webhook"


class BudgetWebhook(BaseChannel):
    """Posts one object for each event, never several in one, and nothing that is no event of a budget."""

    kind = "budget_webhook"
    pace = Pace()
    digest_size = 0
    #: Calls of customers may be many: one after the other would wait for as many answers.
    parallel = 16

    def __init__(self, config: BudgetWebhookConfig) -> None:
        self.name = config.name
        self.pace = config.paced(self.pace)
        self._config = config
        self.tracks_spend = config.spend_tracked

    def takes(self, message: Message, /) -> bool:
        """Want what has a budget's figures, once for each event."""
        return message.figures is not None and message.step in _STEPS

    def render(self, message: Message) -> str:
        """Give the JSON body; a test's is the sample, and no other message's ever.

        Raises:
            DeliveryError: it has no figures, so it is no event of a budget.
        """
        figures = _SAMPLE if message.step is Step.TEST else message.figures
        if figures is None:
            raise DeliveryError("is no event of a budget", Reason.CLIENT_ERROR)
        form = _page if self._config.format == "page" else _litellm
        return json.dumps(form(figures), ensure_ascii=False).encode(errors="replace").decode()

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        return http.post(self._config, body, headers)


def _page(figures: BudgetFigures) -> dict[str, Any]:
    shared = _shared(figures)
    return shared | {
        "internal_user_id": figures.user_id,
        "event": _PAGE_EVENTS.get(figures.event, figures.event).value,
        "event_group": _PAGE_GROUPS.get(figures.scope, figures.scope),
        "event_message": _message(figures, amounts=False),
    }


def _litellm(figures: BudgetFigures) -> dict[str, Any]:
    return _shared(figures) | {
        "soft_budget": _dollars(figures.soft_nanos),
        "team_alias": figures.team_alias,
        "organization_id": figures.organization_id,
        "event": figures.event.value,
        "event_group": _LITELLM_GROUPS.get(figures.scope, figures.scope),
        "alert_emails": _alert_emails(figures),
        "max_budget_alert_emails": None,
        "event_message": _message(figures, amounts=True),
    }


def _alert_emails(figures: BudgetFigures) -> list[str] | None:
    """Give whom a team names for its soft budget; LiteLLM names them with no other event."""
    if figures.scope != BudgetScope.TEAM or figures.event is not BudgetEvent.SOFT_BUDGET_CROSSED:
        return None
    return [email.strip() for email in (figures.alert_emails or "").split(",") if email.strip()] or None


def _shared(figures: BudgetFigures) -> dict[str, Any]:
    day = figures.projected_exceeded_on
    return {
        "spend": _dollars(figures.spend_nanos),
        "max_budget": _dollars(figures.max_nanos),
        "token": figures.key_hash,
        "customer_id": figures.customer_id,
        "user_id": figures.user_id,
        "team_id": figures.team_id,
        "user_email": figures.user_email,
        "key_alias": figures.key_alias,
        "projected_exceeded_date": day.isoformat() if day else None,
        "projected_spend": _dollars(figures.projected_nanos),
    }


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else float(dollars_from_nanos(nanos))


def _message(figures: BudgetFigures, *, amounts: bool) -> str:
    """Give LiteLLM's text of the event; with ``amounts`` as its code has it, without as its page."""
    if figures.event is BudgetEvent.SPEND_TRACKED:
        return f"Customer spend tracked. Customer={figures.entity_id}, spend={_dollars(figures.spend_nanos)}"
    scope = f"{figures.scope.replace('_', ' ').title()} Budget: "
    if figures.event is BudgetEvent.PROJECTED_LIMIT_EXCEEDED:
        return f"{scope}Projected Limit Exceeded"
    if figures.event is BudgetEvent.SOFT_BUDGET_CROSSED:
        total = f": Total Soft Budget:`{_dollars(figures.soft_nanos)}`" if amounts else ""
        return f"Soft Budget Crossed{total}"
    if figures.event is BudgetEvent.BUDGET_CROSSED:
        total = f"\n Total Budget:`{_dollars(figures.max_nanos)}`" if amounts else ""
        return f"{scope}Budget Crossed{total}"
    return f"{scope}{100 - (figures.crossed or 0)}% or less of budget remaining"
