"""`alertworker web` as an attacker on the same machine meets it: forwarded headers, guesses and host names."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from alertworker.web.throttle import BURST
from tests.ports import free_port
from tests.processes import running


@contextmanager
def web(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a web server on a free port, and yield its URL. It needs neither broker nor database to check a key."""
    port = free_port()
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    own = {"ALERTWORKER_DATA_DIR": str(folder), "ALERTWORKER_API_KEY": "k" * 32, "ALERTWORKER_HTTP_PORT": str(port)}
    command = [sys.executable, "-m", "alertworker", "web"]
    with running(command, cwd=folder, env={**keep, **own, **environ}, stderr=subprocess.DEVNULL):
        url = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{url}/health/liveliness", timeout=10)
                break
            time.sleep(0.1)
        yield url


def guess(url: str, count: int) -> list[int]:
    """Guess keys, each under another forwarded address."""
    return [
        requests.post(
            f"{url}/v1/events",
            headers={"Authorization": f"Bearer guess-{number}", "X-Forwarded-For": f"198.51.100.{number}"},
            timeout=10,
        ).status_code
        for number in range(count)
    ]


def test_a_forwarded_address_counts_only_from_a_configured_proxy(tmp_path: Path) -> None:
    """Otherwise every local process has as many addresses, and so as many guesses, as it likes."""
    with web(tmp_path, {}) as url:
        assert guess(url, BURST + 3) == [401] * BURST + [429] * 3
        assert requests.get(f"{url}/metrics", headers={"Host": "evil.example"}, timeout=10).status_code == 400
    with web(tmp_path, {"ALERTWORKER_TRUSTED_PROXIES": "127.0.0.1"}) as url:
        assert guess(url, BURST + 3) == [401] * (BURST + 3)
