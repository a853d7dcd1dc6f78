"""How many messages a worker holds: enough to join batches, unless an operator chose another number."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from alertworker.app import celery
from alertworker.cli import worker as module
from alertworker.worker.joined import PREFETCH


@pytest.mark.parametrize(
    ("role", "configured", "expected"),
    [
        ("ingest", 1, [f"--prefetch-multiplier={PREFETCH}"]),
        ("ingest", 3, []),
        ("deliver", 1, []),
        ("all", 1, []),
    ],
)
def test_a_worker_that_ingests_holds_the_next_batches(
    role: str, configured: int, expected: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setattr(module, "_start", started.extend)
    monkeypatch.setitem(celery.conf, "worker_prefetch_multiplier", configured)
    CliRunner().invoke(module.worker, ["--role", role])
    assert [one for one in started if "prefetch" in one] == expected
    assert any(one.startswith("--queues=") for one in started)
