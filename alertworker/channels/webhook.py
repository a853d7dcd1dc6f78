"""A signed webhook for programs: a versioned JSON document, by the Standard Webhooks specification."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

from pydantic import SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from alertworker.alerts.message import Message
from alertworker.channels.base import JSON, HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.webhook_document import document_of


class WebhookConfig(UrlConfig):
    """A URL, and the secrets to sign with ("whsec_…"). There are several secrets while they are rotated."""

    kind: Literal["webhook"] = "webhook"
    secrets: tuple[SecretStr, ...] = ()
    """Secrets to sign with ("whsec_…"); several while one replaces another."""

    @field_validator("secrets")
    @classmethod
    def _usable(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            try:
                Signer(secret.get_secret_value())
            except Exception:  # noqa: BLE001 - the library's text may repeat the secret
                raise ValueError("invalid secret; make one with: echo whsec_$(openssl rand -base64 24)") from None
        return secrets


class Webhook(HttpChannel[WebhookConfig]):
    """Posts one document for each message."""

    config_class = WebhookConfig
    for_programs = True

    def __init__(self, config: WebhookConfig) -> None:
        super().__init__(config)
        self._signers = [Signer(secret.get_secret_value()) for secret in config.secrets]

    def render(self, message: Message) -> str:
        """Return the JSON body. Halves of surrogate pairs, which JSON cannot carry, become question marks."""
        document = document_of(message).model_dump(mode="json")
        return json.dumps(document, ensure_ascii=False).encode(errors="replace").decode()

    def headers(self, body: str, notification_id: str, /) -> dict[str, str]:
        """Return the specification's headers: one id for all attempts, and a timestamp and signatures for each."""
        now = datetime.now(UTC)
        headers = {
            "Content-Type": JSON,
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signers:
            signatures = (signer.sign(notification_id, now, body) for signer in self._signers)
            headers["webhook-signature"] = " ".join(signatures)
        return headers
