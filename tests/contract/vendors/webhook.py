"""The signed webhook: https://www.standardwebhooks.com."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import SecretStr
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from alertworker.channels.webhook import WebhookConfig
from alertworker.channels.webhook_document import WebhookDocument
from tests.contract.shape import Change, Sent, change_text, keys

_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def config(url: str) -> WebhookConfig:
    """Return a configuration that sends to a URL."""
    return WebhookConfig(name="webhook", url=SecretStr(url), secrets=(SecretStr(_SECRET),))


def complaints(sent: Sent) -> list[str]:
    """Return why a receiver that verifies would refuse it."""
    return list(_complaints(sent))


def _complaints(sent: Sent) -> Iterator[str]:
    headers = {"webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type"}
    yield from keys("headers", sent.headers, headers)
    if "." in sent.headers["webhook-id"]:
        yield "an id with a dot in it"
    try:
        Verifier(_SECRET).verify(sent.body, dict(sent.headers))
    except WebhookVerificationError as error:
        yield str(error)
    document = WebhookDocument.model_validate_json(sent.body)
    if not re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*", document.type):
        yield f"type {document.type!r}"


BROKEN: list[tuple[str, Change]] = [
    ("No matching signature", change_text("gpt", "xpt")),
]
