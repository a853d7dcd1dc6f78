"""``alertworker run``: everything from one command, and nothing left running afterwards."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from alertworker.errors import INTERRUPTED
from alertworker.host.paths import default_broker_url
from alertworker.publisher import BrokerTransport, Publisher
from alertworker.worker.shutdown import BOUND
from tests.ports import free_port
from tests.processes import children, kill, running

READY = "Ctrl-C stops it"


class Run:
    """A running ``alertworker run`` in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._log = folder / "out.log"
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        environ = {**keep, "PYTHONUNBUFFERED": "1", "ALERTWORKER_DATA_DIR": str(self.data)}
        environ["ALERTWORKER_HTTP_PORT"] = str(free_port())
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "alertworker", "run"],
                cwd=folder,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.children: list[psutil.Process] = []

    def wait_until_ready(self) -> None:
        """Wait until all processes run."""
        self.wait_for(READY)
        ends = time.monotonic() + 20
        while len(self.children) < 7 and time.monotonic() < ends:  # broker, ingest and its two, deliver, beat, web
            self.children = children(self.process.pid, recursive=True)
            time.sleep(0.1)

    def output(self) -> str:
        """Return the printed output."""
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = 40) -> None:
        """Wait until this was printed."""
        ends = time.monotonic() + seconds
        while text not in self.output() and time.monotonic() < ends:
            time.sleep(0.05)
        assert text in self.output(), self.output()[-3_000:]

    def publish_failure(self) -> None:
        """Publish a failed call as a proxy does."""
        publisher = Publisher(BrokerTransport(default_broker_url(self.data)), self.folder / "spool")
        now = datetime.now(UTC)
        failure = {"error_class": "APIError", "status_code": 500, "origin": "provider", "message": "[bold]boom"}
        publisher.publish(
            {
                "type": "llm.request.failed",
                "call_id": "call-1",
                "model_group": "gpt-4o",
                "started_at": now,
                "ended_at": now,
                "failure": failure,
            }
        )
        publisher.close()

    def gone(self, seconds: float) -> None:
        """Assert that none of its processes is left after this time."""
        _, alive = psutil.wait_procs(self.children, timeout=seconds)
        assert alive == []


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run the command, and kill what a test leaves running."""
    started = Run(tmp_path)
    try:
        started.wait_until_ready()
        yield started
    finally:
        kill([*started.children, *children(started.process.pid, recursive=True)])
        started.process.kill()
        started.process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_alert_reaches_the_terminal_and_a_signal_stops_everything(run: Run, number: signal.Signals) -> None:
    """Without configuration alerts are printed, with users' input unchanged. Afterwards no process is left."""
    run.publish_failure()
    run.wait_for("LLM API call failed: gpt-4o · APIError 500")
    run.wait_for("Error: [bold]boom")
    assert re.search(r"\n   http://127\.0\.0\.1:[0-9]+/alerts/[0-9a-f-]{36}\n", run.output())
    key = run.data / "admin-key"
    assert f"The key to log in is in {key}" in run.output()
    assert key.read_text().strip() not in run.output()

    began, printed = time.monotonic(), run.output()
    os.killpg(run.process.pid, number)  # as a terminal does
    assert run.process.wait(20) == (INTERRUPTED if number == signal.SIGINT else 0)
    run.gone(1)
    assert time.monotonic() - began < 15
    assert run.output().removeprefix(printed) == "Stopped. No process is left running.\n"


def test_a_port_in_use_ends_the_command_before_it_announces_an_address(tmp_path: Path) -> None:
    """The address would be another program's. A second port and folder work beside it."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "alertworker", "run", "--port", port, "--data-dir", str(tmp_path / "data")]
        ended = subprocess.run(command, cwd=tmp_path, env=keep, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"alertworker: cannot listen on port {port} of 127.0.0.1: another program listens")
    assert "--port" in ended.stderr
    assert not (tmp_path / "data" / "broker.log").exists()


def test_the_broker_that_a_proxy_is_told_is_the_embedded_one(run: Run) -> None:
    assert f"export ALERTWORKER_BROKER_URL='{default_broker_url(run.data)}'" in run.output()
    assert "Alerts go to: console (from the default)." in run.output()


def test_a_signal_at_the_start_is_no_error(tmp_path: Path) -> None:
    """The schema is being created, or the broker is starting. The signal reaches only the supervisor."""
    log = tmp_path / "out.log"
    environ = {**os.environ, "ALERTWORKER_DATA_DIR": str(tmp_path / "data"), "ALERTWORKER_HTTP_PORT": str(free_port())}
    command = [sys.executable, "-m", "alertworker", "run"]
    with (
        log.open("wb") as file,
        running(command, cwd=tmp_path, env=environ, stdout=file, stderr=file, start_new_session=True) as process,
    ):
        ends = time.monotonic() + 30
        while not (tmp_path / "data" / "broker.log").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(60) == INTERRUPTED
    assert log.read_text().splitlines()[-1] == "Stopped. No process is left running."
    assert "Aborted" not in log.read_text()
    assert "is running" not in log.read_text()


def test_the_address_that_is_printed_for_a_proxy_relays_its_alerts(run: Run) -> None:
    """A shell reads the key from its file. The key is not printed, and requests without it are refused."""
    printed = re.search(r"export SLACK_WEBHOOK_URL=(.*)", run.output())
    assert printed is not None
    address = subprocess.run(["sh", "-c", f"printf %s {printed[1]}"], capture_output=True, text=True, check=True).stdout
    key = (run.data / "publish-key").read_text().strip()
    assert address.endswith(f"?key={key}")
    assert key not in run.output()

    def post(url: str) -> int:
        try:
            return int(
                urllib.request.urlopen(url, b'{"text": "Alert type: `db_exceptions`\\n\\nMessage: boom"}').status
            )
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:  # it is not listening yet
            return 0

    ends = time.monotonic() + 20
    while (status := post(address)) == 0 and time.monotonic() < ends:
        time.sleep(0.1)
    assert status == 200
    assert post(address.partition("?")[0]) == 401
    run.wait_for("boom")


def test_a_second_run_on_the_same_folder_is_refused(run: Run) -> None:
    """The error names the process that uses the folder."""
    environ = {**os.environ, "ALERTWORKER_DATA_DIR": str(run.data)}
    second = subprocess.run(
        [sys.executable, "-m", "alertworker", "run"],
        cwd=run.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 1
    assert f"process {run.process.pid} already uses this data folder" in second.stderr
    assert "Traceback" not in second.stderr


def test_nothing_outlives_a_killed_supervisor(run: Run) -> None:
    """The kernel notifies the children, also the broker. A worker needs no longer than its bound."""
    run.process.kill()
    run.process.wait()

    run.gone(BOUND + 10)


def test_a_worker_with_taken_locks_ends_in_bounded_time(tmp_path: Path) -> None:
    """Celery's worker does this if a signal arrives while its main thread holds the lock of its thread pool."""
    program = """if True:
        import signal, threading
        from types import SimpleNamespace
        from celery.apps.worker import Worker
        from alertworker.worker import shutdown
        shutdown.BOUND = 1
        lock = threading.Lock()
        Worker.install_platform_tweaks = lambda *_: signal.signal(signal.SIGTERM, lambda *_: lock.acquire())
        parent = SimpleNamespace()
        bound = shutdown.Bound(parent)
        parent.install_platform_tweaks(parent)
        bound.start(parent)
        with lock:
            print("has it", flush=True)
            signal.pause()
    """
    with running([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        process.terminate()
        assert process.wait(20) == 0


def wait_until_idle(processes: list[psutil.Process]) -> None:
    """Wait until processes have started: they sleep, and have used no CPU for a second."""
    ends, used, since = time.monotonic() + 30, [0.0], time.monotonic()
    while time.monotonic() < min(ends, since + 1):
        now = [sum(process.cpu_times()[:2]) for process in processes]
        if now != used or any(process.status() != psutil.STATUS_SLEEPING for process in processes):
            used, since = now, time.monotonic()
        time.sleep(0.05)


def test_no_process_of_a_pool_outlives_its_worker(run: Run) -> None:
    """This includes a busy process when the worker is killed."""
    (ingest,) = children(run.process.pid, "ingest")
    pool = children(ingest.pid)
    assert len(pool) == 2
    wait_until_idle(pool)
    for process in pool:
        process.suspend()  # so that it does not end by itself
    ingest.kill()

    _, alive = psutil.wait_procs(pool, timeout=10)
    assert alive == []


WATCHED = """
import os, subprocess, sys
watch = "import sys; from alertworker.embedded.child import run_watched; run_watched(int(sys.argv[1]), sys.argv[2:])"
subprocess.Popen([sys.executable, "-c", watch, str(os.getpid()), sys.executable, "-c", sys.argv[1]]).wait()
"""


def test_a_program_ends_with_its_parent_without_the_kernels_signal(tmp_path: Path) -> None:
    """Systems other than Linux have no such signal, so a thread checks the parent."""
    started = tmp_path / "pid"
    program = f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); time.sleep(60)"
    with running([sys.executable, "-c", WATCHED, program]) as parent:
        ends = time.monotonic() + 20
        while not (started.exists() and started.read_text()) and time.monotonic() < ends:
            time.sleep(0.05)
        watched = psutil.Process(int(started.read_text()))
        parent.kill()

    psutil.wait_procs([watched], timeout=10)
    assert not watched.is_running() or watched.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_dies_is_started_again(run: Run) -> None:
    """After each of them was killed, events are processed again, and the broker's data is kept."""
    kill(children(run.process.pid))
    time.sleep(3)
    run.publish_failure()

    run.wait_for("LLM API call failed: gpt-4o · APIError 500", seconds=40)
