"""Files with events, texts and addresses are for their owner only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from alertworker.app import build_engine
from alertworker.settings import Settings


def test_the_embedded_database_is_private_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTWORKER_DATA_DIR", str(tmp_path))
    before = os.umask(0o022)
    try:
        engine = build_engine(Settings())
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (x INTEGER)"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("alertworker.db*")}
    finally:
        os.umask(before)
    engine.dispose()
    assert set(modes.values()) == {0o600}
    assert "alertworker.db-wal" in modes
