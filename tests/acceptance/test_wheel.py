"""The built wheel in an empty environment and an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import running

_ROOT = Path(__file__).parents[2]


def call(*command: str | Path, folder: Path, **environ: str) -> str:
    """Run a command and return its output. Its failure fails the test."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("ALERTWORKER", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**keep, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, _ROOT, folder=folder)
    [built] = folder.glob("*.whl")
    return built


def environment(folder: Path, what: str) -> Path:
    """Create an environment with only the wheel's own dependencies. Return its folder of programs."""
    call(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    programs = folder / "venv" / "bin"
    constraints = ("--constraint", _ROOT / "constraints.txt")
    call(programs / "pip", "install", "--quiet", *constraints, what, folder=folder)
    return programs


@pytest.mark.timeout(580)
def test_the_wheel_has_everything_that_the_worker_needs(wheel: Path, tmp_path: Path) -> None:
    """This includes migrations and pages. The commands show the configuration, and print the contract."""
    programs = environment(tmp_path, f"{wheel}[worker]")
    empty = tmp_path / "empty"
    empty.mkdir()

    assert "up to date" in call(programs / "alertworker", "db", "upgrade", folder=empty)
    assert "console" in call(programs / "alertworker", "check", folder=empty)
    assert "llm.request.failed" in call(programs / "alertworker", "schema", folder=empty)
    listed = call(programs / "celery", "-A", "alertworker", "report", folder=empty)
    assert "celery" in listed
    assert "printed" in call(programs / "alertworker", "test", "console", folder=empty)
    assert "call" not in call(programs / "alertworker", "alerts", folder=empty)
    shown = "from alertworker.web.pages.render import render; print(render('closed.html', visit=None).body.decode())"
    assert "ALERTWORKER_API_KEY" in call(programs / "python", "-c", shown, folder=empty)
    style = (
        "import alertworker.web as w, pathlib; print((pathlib.Path(w.__path__[0]) / 'static/style.css').read_text())"
    )
    assert "prefers-color-scheme" in call(programs / "python", "-c", style, folder=empty)
    _obeys_celeryconfig(programs, tmp_path / "own")


def _obeys_celeryconfig(programs: Path, folder: Path) -> None:
    """Check that the `celeryconfig.py` of the working folder has effect in every command that runs Celery.

    The broker that it names does not exist, and each command logs that it cannot reach it, until it is stopped.
    """
    folder.mkdir()
    own = "from alertworker.celery_defaults import *\nbroker_url = 'redis://127.0.0.1:9/7'\n"
    (folder / "celeryconfig.py").write_text(own)
    call(programs / "alertworker", "db", "upgrade", folder=folder)
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("ALERTWORKER", "PYTHON"))}
    for command in (
        ("alertworker", "worker"),
        ("alertworker", "beat"),
        ("celery", "-A", "alertworker", "worker", "--pool=solo"),
        ("celery", "-A", "alertworker", "beat", "--pidfile="),
    ):
        log = folder / "out.log"
        with (
            log.open("wb") as file,
            running(
                [str(programs / command[0]), *command[1:]], cwd=folder, env=keep, stdout=file, stderr=file
            ) as process,
        ):
            ends = time.monotonic() + 60
            while "127.0.0.1:9" not in log.read_text() and process.poll() is None and time.monotonic() < ends:
                time.sleep(0.1)
            process.kill()
        assert "127.0.0.1:9" in log.read_text(), (command, log.read_text())


@pytest.mark.timeout(400)
def test_the_thin_base_is_thin(wheel: Path, tmp_path: Path) -> None:
    """The part for proxies imports without the worker's packages, which are not installed."""
    programs = environment(tmp_path, str(wheel))
    program = (
        "import sys, alertworker.publisher, alertworker.events\n"
        "print(sorted({'celery', 'sqlalchemy', 'requests', 'click', 'rich', 'yaml'} & set(sys.modules)))"
    )

    assert call(programs / "python", "-c", program, folder=tmp_path).strip() == "[]"
    installed = call(programs / "pip", "list", "--format=freeze", folder=tmp_path).lower()
    assert "celery" not in installed
    refused = subprocess.run([programs / "alertworker"], capture_output=True, text=True, timeout=60, check=False)
    said = "alertworker: the command line is not installed here; install alertworker with its extra `worker`\n"
    assert (refused.returncode, refused.stderr) == (1, said)
    assert "sqlalchemy" not in installed
