"""`worker` and `beat`: what they check before they start."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from alertworker.app import celery
from alertworker.cli import worker
from alertworker.errors import AlertWorkerError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Make the data folder one that cannot be used, and record the program that Celery would start."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALERTWORKER_DATA_DIR", str(tmp_path / "file" / "data"))
    calls: list[str] = []
    monkeypatch.setattr(worker, "_start", lambda arguments: calls.append(arguments[1]))
    monkeypatch.setattr(celery, "start", lambda arguments: calls.append(arguments[1]))
    return calls


@pytest.mark.parametrize("command", [worker.worker, worker.beat])
def test_a_folder_that_cannot_be_used_is_an_error_before_the_start(command: object, started: list[str]) -> None:
    """The embedded database is in it. A started worker would only wait for the database."""
    result = CliRunner().invoke(command, [])  # type: ignore[arg-type]

    assert isinstance(result.exception, AlertWorkerError)
    assert "data cannot be used (Not a directory); set ALERTWORKER_DATA_DIR" in str(result.exception)
    assert started == []


def test_beat_needs_no_folder_with_a_database_of_its_own(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's file system may be read-only. Beat warns when it cannot write its marker there."""
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", "postgresql://db/real")

    CliRunner().invoke(worker.beat, [])

    assert started == ["beat"]
