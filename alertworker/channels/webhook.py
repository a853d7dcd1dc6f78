"""A signed webhook for programs: a versioned JSON document, by the Standard Webhooks specification."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Row, Table, Unit
from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.delivery.channel import Answer, Pace
from alertworker.money import dollars_from_nanos

_STATUS: Final = {
    Step.FIRING: "firing",
    Step.REMINDER: "firing",
    Step.RESOLVED: "resolved",
    Step.FIRED_AND_RESOLVED: "resolved",
    Step.TEST: "test",
}


class WebhookConfig(UrlConfig):
    """An address and the secrets to sign with ("whsec_…"); several while one takes the other's place."""

    kind: Literal["webhook"] = "webhook"
    secrets: tuple[SecretStr, ...] = ()

    @field_validator("secrets")
    @classmethod
    def _usable(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            try:
                Signer(secret.get_secret_value())
            except Exception:  # noqa: BLE001 - whatever the library says may hold the secret
                raise ValueError("is no secret; make one with: echo whsec_$(openssl rand -base64 24)") from None
        return secrets


class ColumnDocument(BaseModel):
    """A column; in one of "dollars" the cells are exact amounts as text, and in one of "change" per cent, or "new"."""

    name: str
    unit: Unit


class TableDocument(BaseModel):
    """A report's table: its highest rows, how many ``more`` there are, and what those add up to (``rest``).

    ``apart`` are rows for what has no team or no tag; ``total`` is of everything.
    """

    title: str
    columns: tuple[ColumnDocument, ...]
    rows: tuple[Row, ...]
    more: int
    rest: Row | None
    apart: tuple[Row, ...]
    total: Row | None


class AlertDocument(BaseModel):
    """One message about an alert. Every text is as it came: escape it for where you show it."""

    alert_id: str
    fingerprint: str
    alert_type: AlertType
    severity: Severity
    status: Literal["notice", "firing", "resolved", "test"]
    step: Step
    headline: str
    at: datetime
    since: datetime
    count: int
    total: int
    labels: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    members: tuple[str, ...] = ()
    members_more: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    tables: tuple[TableDocument, ...] = ()
    page_url: str | None = None


class WebhookDocument(BaseModel):
    """What is posted. ``version`` changes when a field changes its meaning; new fields may come at any time."""

    version: Literal["1"] = "1"
    type: str
    timestamp: datetime
    data: AlertDocument


class Webhook(BaseChannel):
    """Posts one document per message, never several in one."""

    kind = "webhook"
    pace = Pace()
    digest_size = 0

    def __init__(self, config: WebhookConfig) -> None:
        self.name = config.name
        self.pace = config.paced(self.pace)
        self._config = config
        self._signers = [Signer(secret.get_secret_value()) for secret in config.secrets]

    def render(self, message: Message) -> str:
        """Give the JSON body."""
        fields: dict[str, Any] = message.model_dump(exclude={"type", "text", "entries", "proxy_url", "chart"})
        fields["tables"] = tuple(map(_table, message.tables))
        status = _STATUS.get(message.step, "notice")
        data = AlertDocument(alert_type=message.type, status=status, **fields)
        document = WebhookDocument(type=f"alert.{message.step.value}", timestamp=message.at, data=data)
        return json.dumps(document.model_dump(mode="json"), ensure_ascii=False).encode(errors="replace").decode()

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt: the id is that of every attempt, the time and so the signature its own."""
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signers:
            signatures = (signer.sign(notification_id, now, body) for signer in self._signers)
            headers["webhook-signature"] = " ".join(signatures)
        return http.post(self._config, body, headers)


def _table(table: Table) -> TableDocument:
    def exact(row: Row) -> Row:
        return tuple(
            f"{dollars_from_nanos(cell):f}" if column.unit is Unit.DOLLARS and isinstance(cell, int) else cell
            for cell, column in zip(row, table.columns, strict=True)
        )

    return TableDocument(
        title=table.title,
        columns=tuple(ColumnDocument(name=column.name, unit=column.unit) for column in table.columns),
        rows=tuple(map(exact, table.rows)),
        more=table.more,
        rest=exact(table.rest) if table.rest else None,
        apart=tuple(map(exact, table.apart)),
        total=exact(table.total) if table.total else None,
    )


def schema() -> str:
    """Give the JSON Schema of the document."""
    return json.dumps(WebhookDocument.model_json_schema(mode="serialization"), indent=2)
