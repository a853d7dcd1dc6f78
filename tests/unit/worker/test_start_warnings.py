"""The warnings of a worker that starts."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from alertworker.cli import worker as module


@pytest.mark.parametrize(("role", "said"), [("all", 1), ("ingest", 1), ("deliver", 0)])
def test_a_worker_repeats_the_warnings_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, said: int
) -> None:
    """Once in a deployment whose roles run apart."""
    config = tmp_path / "alertworker.yaml"
    config.write_text(
        "alertworker: {route: {receiver: default, routes: [{matchers: ['teem=a'], receiver: default}]}}\n"
    )
    monkeypatch.setenv("ALERTWORKER_CONFIG", str(config))
    monkeypatch.setattr(module, "_start", lambda _arguments: 0)
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)

    assert CliRunner().invoke(module.worker, ["--role", role]).output.count("did you mean team?") == said
