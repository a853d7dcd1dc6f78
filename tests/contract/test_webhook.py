"""The signed webhook: the specification's library verifies it, and the document is the published one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook as Verifier

from alertworker.alerts.message import Step
from alertworker.alerts.tables import Column, Table, Unit
from alertworker.channels import build_channel, http
from alertworker.channels.webhook import WebhookConfig
from alertworker.channels.webhook_document import WebhookDocument
from alertworker.cli import cli
from tests.contract.cases import message

SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2Vjb25kIHNlY3JldCBmb3Igcm90YXRpb24=")


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """Return the posted bodies and headers."""
    kept: list[tuple[str, dict[str, str]]] = []

    def post(_url: str, body: str, headers: Any) -> str:
        kept.append((body, dict(headers)))
        return "200"

    monkeypatch.setattr(http, "post", post)
    return kept


def test_each_secret_verifies_and_a_changed_body_does_not(posts: list[tuple[str, dict[str, str]]]) -> None:
    """While secrets are rotated a receiver may have either one."""
    config = WebhookConfig(name="w", url=SecretStr("https://x.example"), secrets=tuple(map(SecretStr, SECRETS)))
    channel = build_channel(config)
    body = channel.render(message())
    for _ in range(2):
        channel.send(body, notification_id="n-1")

    assert [headers["webhook-id"] for _, headers in posts] == ["n-1", "n-1"]
    for secret in SECRETS:
        assert Verifier(secret).verify(posts[0][0], posts[0][1])["data"]["status"] == "notice"
        with pytest.raises(Exception, match="No matching signature"):
            Verifier(secret).verify(posts[0][0].replace("gpt", "xpt"), posts[0][1])


def test_the_document_is_the_published_one() -> None:
    """The body matches its schema and has the fields that a program needs."""
    body = build_channel(WebhookConfig(name="w", url=SecretStr("https://x.example"))).render(
        message(step=Step.RESOLVED, metadata={"run": "<7>"})
    )
    document = WebhookDocument.model_validate_json(body)

    assert (document.type, document.data.status) == ("alert.resolved", "resolved")
    assert document.data.metadata == {"run": "<7>"}
    assert json.loads(body)["data"]["labels"] == {"model": "gpt-4o", "team": "search"}


def test_a_report_has_its_tables_with_exact_amounts() -> None:
    """Dollars are strings, as in the schema, however large they are."""
    columns = (Column(name="Team"), Column(name="Spend", unit=Unit.DOLLARS))
    table = Table(title="By team", columns=columns, rows=(("a", 10**19 + 1),), sums=True, total=("All", 10**19 + 1))
    body = build_channel(WebhookConfig(name="w", url=SecretStr("https://x.example"))).render(
        message(tables=(table,), page_url="https://alerts.example/alerts/1")
    )
    data = WebhookDocument.model_validate_json(body).data

    assert data.tables[0].rows == (("a", "10000000000.000000001"),)
    assert data.tables[0].total == ("All", "10000000000.000000001")
    assert data.page_url == "https://alerts.example/alerts/1"
    assert "chart" not in json.loads(body)["data"]
    published = CliRunner().invoke(cli, ["schema", "webhook"]).output
    assert "TableDocument" in json.loads(published)["$defs"]


def test_an_invalid_secret_is_refused_without_being_repeated() -> None:
    """The configuration is refused, not the first alert."""
    with pytest.raises(ValidationError) as caught:
        WebhookConfig(name="w", url=SecretStr("https://x.example"), secrets=(SecretStr("whsec_é-canary"),))

    assert "canary" not in str(caught.value)
    assert "openssl rand" in str(caught.value)
