"""The `celeryconfig.py` of the working folder has effect in every program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN = "from alertworker.celery_defaults import *\nbroker_url = 'redis://127.0.0.1:9/7'\n"


@pytest.mark.parametrize("own", [True, False])
def test_a_program_without_the_folder_in_its_path_obeys_it(tmp_path: Path, own: bool) -> None:
    """As `celery -A alertworker worker` from an installed wheel. Other files of the folder hide no library."""
    if own:
        (tmp_path / "celeryconfig.py").write_text(OWN)
    (tmp_path / "kombu.py").write_text("raise SystemExit('hidden')")
    program = "from alertworker.app import celery; print(celery.conf.broker_url)"
    keep = {name: value for name, value in os.environ.items() if not name.startswith("ALERTWORKER")}
    # Not the repository, whose own celeryconfig.py would be found: only the package.
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "alertworker").symlink_to(Path(__file__).parents[3] / "alertworker")
    environ = {**keep, "PYTHONPATH": str(tmp_path / "lib")}
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)

    assert (done.stdout.strip() == "redis://127.0.0.1:9/7") is own
