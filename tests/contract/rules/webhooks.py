"""Our own contracts: https://www.standardwebhooks.com, and LiteLLM's budget webhook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from standardwebhooks import Webhook as Verifier

from alertworker.channels.webhook import WebhookDocument
from tests.contract.kinds import Sent
from tests.contract.rules.shape import keys

_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_PAGE = {
    "spend", "max_budget", "token", "customer_id", "internal_user_id", "user_id", "team_id", "user_email", "key_alias",
    "projected_exceeded_date", "projected_spend", "event", "event_group", "event_message",
}  # fmt: skip


def standard(sent: Sent) -> list[str]:
    """Say why a receiver that verifies would refuse it."""
    return list(_standard(sent))


def _standard(sent: Sent) -> Iterator[str]:
    headers = {"webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type"}
    yield from keys("headers", sent.headers, headers)
    if "." in sent.headers["webhook-id"]:
        yield "an id with a dot in it"
    Verifier(_SECRET).verify(sent.body, dict(sent.headers))
    document = WebhookDocument.model_validate_json(sent.body)
    if not re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*", document.type):
        yield f"type {document.type!r}"


def budget(sent: Sent) -> list[str]:
    """Say what LiteLLM's page does not describe."""
    read = json.loads(sent.body)
    found = list(keys("event", read, _PAGE))
    if read["event"] not in ("spend_tracked", "budget_crossed", "threshold_crossed", "projected_limit_exceeded"):
        found.append(f"event {read['event']!r}")
    return found
