"""LiteLLM's budget webhook: the fields and events of its alerting page."""

from __future__ import annotations

import json

from pydantic import SecretStr

from alertworker.channels.budget_webhook import BudgetWebhookConfig
from tests.contract.cases import CASES
from tests.contract.shape import Change, Sent, change_json, keys

#: It gets nothing but budget events.
NOT_SENT = CASES.keys() - {"budget", "test", "tracked"}
_PAGE = {
    "spend", "max_budget", "token", "customer_id", "internal_user_id", "user_id", "team_id", "user_email", "key_alias",
    "projected_exceeded_date", "projected_spend", "event", "event_group", "event_message",
}  # fmt: skip


def config(url: str) -> BudgetWebhookConfig:
    """Return a configuration that sends to a URL."""
    return BudgetWebhookConfig(name="budget_webhook", url=SecretStr(url), spend_tracked=True)


def complaints(sent: Sent) -> list[str]:
    """Return what LiteLLM's page does not describe."""
    read = json.loads(sent.body)
    found = list(keys("event", read, _PAGE))
    if read["event"] not in ("spend_tracked", "budget_crossed", "threshold_crossed", "projected_limit_exceeded"):
        found.append(f"event {read['event']!r}")
    return found


BROKEN: list[tuple[str, Change]] = [
    ("event lacks ['spend']", change_json(lambda b: b.pop("spend"))),
    ("event 'soft_budget_crossed'", change_json(lambda b: b.update(event="soft_budget_crossed"))),
]
