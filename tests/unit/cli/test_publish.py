"""``alertworker publish`` removes secrets from the events of a file, as ``POST /v1/events`` does."""

from __future__ import annotations

import json

import pytest
import zstandard
from click.testing import CliRunner

from alertworker import publisher
from alertworker.cli import cli
from alertworker.events.batch import SealedBatch

KEY = "sk-proj-canary0123456789"
EVENT = {
    "type": "llm.request.failed",
    "call_id": "c",
    "team_id": "search",
    "started_at": "2026-11-23T12:00:00Z",
    "ended_at": "2026-11-23T12:00:03Z",
    "alerting_metadata": {"password": "canary-pw"},
    "failure": {"error_class": "Timeout", "origin": "provider", "message": f"bad key {KEY}"},
}


class _Transport:
    """Keeps the batches instead of sending them."""

    def __init__(self) -> None:
        self.sent: list[SealedBatch] = []

    def send(self, batch: SealedBatch) -> None:
        """Keep a batch."""
        self.sent.append(batch)

    def close(self) -> None:
        """Do nothing."""


def test_no_secret_of_a_file_reaches_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker does not change texts, so they would be in messages and rows."""
    transport = _Transport()
    monkeypatch.setattr(publisher, "BrokerTransport", lambda _url: transport)
    monkeypatch.setenv("ALERTWORKER_BROKER_URL", "redis://127.0.0.1:1/0")
    done = CliRunner().invoke(cli, ["publish"], input=json.dumps(EVENT))

    assert done.output == "1 published, 0 refused\n"
    (batch,) = transport.sent
    body = zstandard.ZstdDecompressor().decompressobj().decompress(batch.body)
    assert b"canary" not in body
    assert b'"team_id":"search"' in body
