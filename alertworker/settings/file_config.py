"""The content of the file: one model of all keys under ``alertworker:``, and of those that LiteLLM has."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from alertworker.channels.budget_webhook import BudgetForm
from alertworker.settings.routing_config import InhibitionConfig, ReceiverConfig, RootConfig, TimeIntervalConfig
from alertworker.settings.values import LiteLLMValues, TypeName, Values


def _names(value: object) -> object:
    """Return the names in a string or in a mapping as a list: LiteLLM looks for its names in whatever ``alerting`` is.

    It ignores numbers and empty items of a list.
    """
    if isinstance(value, str):
        return re.findall(r"\w+", value)
    if isinstance(value, dict):
        return list(value)
    return (
        [str(one) if one is None or isinstance(one, int | float) else one for one in value]
        if isinstance(value, list)
        else value
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


ChannelKinds = Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=list[str] | str)]
Urls = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=list[str] | str)]


class LiteLLMConfig(LiteLLMValues):
    """LiteLLM's keys for alerting. They stand under ``general_settings:``, and under ``alertworker:`` to override."""

    alerting: Annotated[ChannelKinds | None, Field(examples=['["slack"]'])] = None
    """Kinds of channels that get alerts: slack, ms_teams, discord, webhook, email, pagerduty."""
    alert_types: Annotated[tuple[TypeName, ...] | None, Field(examples=['["llm_exceptions", "budget_alerts"]'])] = None
    """Alert types that are on. LiteLLM's defaults if not set."""
    alert_to_webhook_url: Annotated[
        dict[TypeName, Urls], Field(examples=["{budget_alerts: os.environ/BUDGET_WEBHOOK_URL}"])
    ] = Field(default_factory=dict)
    """URLs by alert type; one or several. `os.environ/NAME` is the variable NAME."""


class FileConfig(Values, LiteLLMConfig):
    """All keys under ``alertworker:``."""

    budget_webhook: BudgetForm | None = None
    """The messages that are sent to the URL in WEBHOOK_URL."""
    receivers: tuple[ReceiverConfig, ...] = ()
    """Named lists of channels."""
    time_intervals: tuple[TimeIntervalConfig, ...] = ()
    """Named periods of the calendar, in which routes are active or muted."""
    route: RootConfig | None = None
    """Root of the routing tree. If set, it replaces the tree of LiteLLM's keys."""
    inhibitions: tuple[InhibitionConfig, ...] = ()
    """Rules by which one alert mutes others. If set, they replace the built-in rules."""
