"""`run` and `demo`: the data that they use."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from alertworker.cli import run
from alertworker.settings import Settings


class Reached(Exception):
    """The processes would start now."""


@pytest.mark.parametrize(("simulate", "folder"), [(False, "alertworker-data"), (True, "alertworker-demo")])
def test_the_demo_shares_no_data_with_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, simulate: bool, folder: str
) -> None:
    """Its calls are made up. A configured broker or database is real."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTWORKER_DATA_DIR", "x")  # so that it is not set after the test
    monkeypatch.delenv("ALERTWORKER_DATA_DIR")
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", "postgresql://db/real")
    monkeypatch.setenv("ALERTWORKER_BROKER_URL", "redis://broker/0")
    monkeypatch.setattr(run, "lock", lambda _folder: io.StringIO())
    monkeypatch.setattr(run, "set_up_logs", lambda _form, _level: None)
    monkeypatch.setattr(run, "check_port", lambda _host, _port: None)
    monkeypatch.setattr(run, "raise_file_limit", lambda: None)
    used: list[tuple[Settings, Path]] = []

    def start(settings: Settings, folder: Path, *, simulate: bool) -> dict[str, str]:
        used.append((settings, folder))
        raise Reached

    monkeypatch.setattr(run, "_environment", start)
    with pytest.raises(Reached):
        run.start(simulate=simulate)

    [(settings, path)] = used
    assert path == tmp_path / folder
    assert (settings.database_url is None, settings.broker_url is None) == (simulate, simulate)
