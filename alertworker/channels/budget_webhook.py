"""LiteLLM's budget webhook (``alerting: ["webhook"]``, ``WEBHOOK_URL``): one JSON object for each budget event."""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.message import Message, Step
from alertworker.channels.base import HttpChannel
from alertworker.channels.budget_event import litellm_form, page_form
from alertworker.channels.config import UrlConfig
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import BudgetScope

#: Steps that are budget events. This form has no event for an end, and a reminder is the same event again.
_STEPS: Final = frozenset({Step.NOTICE, Step.FIRING, Step.REMINDER, Step.TRACKED})
#: A test sends the sample of LiteLLM's alerting page.
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
    """The form of the body that a budget webhook sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    format: Literal["page", "litellm"] = "page"
    """"page" has the fields and values of LiteLLM's alerting page, "litellm" those that LiteLLM 1.106 sends."""
    spend_tracked: bool = True
    """Also send an object for each call of a customer, as LiteLLM does."""


class BudgetWebhookConfig(BudgetForm, UrlConfig):
    """A receiver of budget events as JSON objects. Its URL is a secret."""

    kind: Literal["budget_webhook"] = "budget_webhook"


class BudgetWebhook(HttpChannel[BudgetWebhookConfig]):
    """Posts one object for each budget event, and nothing else."""

    config_class = BudgetWebhookConfig
    for_programs = True
    litellm_service = "webhook"
    #: There may be many calls of customers. Sent one after the other, each would wait for the answer before it.
    parallel = 16

    def __init__(self, config: BudgetWebhookConfig) -> None:
        super().__init__(config)
        self.tracks_spend = config.spend_tracked

    def takes(self, message: Message, /) -> bool:
        """Return whether the message has a budget's figures and its step is a budget event."""
        return message.figures is not None and message.step in _STEPS

    def render(self, message: Message) -> str:
        """Return the JSON body. A test, and only a test, gets the sample.

        Raises:
            DeliveryError: the message has no budget's figures.
        """
        figures = _SAMPLE if message.step is Step.TEST else message.figures
        if figures is None:
            raise DeliveryError(
                "the message must have the figures of a budget, as budget_alerts do", Reason.CLIENT_ERROR
            )
        form = page_form if self._config.format == "page" else litellm_form
        return json.dumps(form(figures), ensure_ascii=False).encode(errors="replace").decode()
