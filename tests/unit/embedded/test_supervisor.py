"""The supervisor's children: when they are restarted, and what others may read of their files."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from alertworker.embedded import supervisor
from alertworker.embedded.supervisor import Child, Supervisor


def run(command: list[str]) -> tuple[Supervisor, Child]:
    """Start a child, and wait for its end."""
    watched = Supervisor(dict(os.environ))
    watched.start("child", command)
    [child] = watched.children
    assert child.process is not None
    child.process.wait(60)
    return watched, child


def test_the_files_of_a_child_are_private(tmp_path: Path) -> None:
    """The embedded broker creates its append-only files itself."""
    path = tmp_path / "appendonly"
    run([sys.executable, "-c", f"open({str(path)!r}, 'w').close()"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_child_that_ran_steadily_is_restarted_soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten failures in the first minutes do not delay a restart a day later."""
    watched, child = run([sys.executable, "-c", ""])
    child.restarts = 10
    watched._restart_if_ended(child)
    assert (child.restarts, child.not_before - time.monotonic() > 5) == (11, True)

    watched, child = run([sys.executable, "-c", ""])
    child.restarts = 10
    monkeypatch.setattr(supervisor, "_STEADY", 0.0)
    watched._restart_if_ended(child)
    assert (child.restarts, child.not_before - time.monotonic() < 2) == (1, True)
