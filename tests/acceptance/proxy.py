"""A real LiteLLM proxy with our callback, in front of a fake upstream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.ports import free_port
from tests.services import lacking

_ROOT = Path(__file__).parents[2]
MASTER_KEY = "sk-canaryMasterKey7f3a9c51d2e8"
UPSTREAM_KEY = "sk-canaryUpstreamKey5b1e"
#: The prompt of every request. No message, log of ours, row or file may contain it.
PROMPT = "the canary prompt is about purple elephants dancing in Lisbon"


def litellm_python() -> Path:
    """Return the interpreter that has LiteLLM. Without one the test fails in CI and is skipped elsewhere."""
    named = os.environ.get("ALERTWORKER_LITELLM_PYTHON")
    path = Path(named) if named else _ROOT / ".venv-litellm" / "bin" / "python"
    if not path.exists():
        lacking("LiteLLM is not installed; run `make litellm`")
    return path


@dataclass
class Proxy:
    """The proxy and its upstream. A model's name is the upstream's behaviour."""

    folder: Path
    broker_url: str
    models: tuple[str, ...]
    general: Mapping[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    upstream_port: int = field(default_factory=free_port)
    #: False if another proxy's upstream, on the same port, answers for both.
    own_upstream: bool = True
    #: The proxy's settings beside its configuration file: its environment and its command line.
    environ: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def up(self) -> None:
        """Start both and wait until the proxy serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "litellm.yaml").write_text(json.dumps(self._config()))
        python = litellm_python()
        upstream = [sys.executable, str(_ROOT / "tests" / "acceptance" / "upstream.py"), str(self.upstream_port)]
        if self.own_upstream:
            self._spawn("upstream", upstream, {})
        command = [
            str(python.parent / "litellm"),
            "--config",
            "litellm.yaml",
            "--port",
            str(self.port),
            *self.arguments,
        ]
        environ = {
            "ALERTWORKER_BROKER_URL": self.broker_url,
            "ALERTWORKER_DATA_DIR": str(self.folder / "data"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_PROXY": "127.0.0.1",
            **self.environ,
        }
        self._spawn("proxy", command, environ)
        self._wait()

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send the proxy alone a signal, as an orchestrator does, and do not wait for its end."""
        self._processes[-1].send_signal(number)

    def down(self, number: int = signal.SIGTERM) -> None:
        for process in reversed(self._processes):
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):  # nothing is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def ask(
        self,
        model: str,
        *,
        stream: bool = False,
        timeout: float = 60,
        key: str = MASTER_KEY,
        read: int = -1,
        prompt: str = PROMPT,
        note: str = "world",
        more: Mapping[str, Any] | None = None,
    ) -> tuple[int, str]:
        """Send one request. ``read`` bytes of the answer are read before the connection is closed (-1: all).

        ``more`` are fields of the body, which override those that every request has.
        """
        body = {
            "model": model,
            "stream": stream,
            "messages": [{"role": "user", "content": prompt}],
            "metadata": {"tags": ["acceptance"], "alerting_metadata": {"hello": note}},
            **(more or {}),
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.read(read).decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")

    def cpu_seconds(self) -> float:
        """Return the CPU time that the proxy's process has used so far, with all of its threads."""
        used = psutil.Process(self._processes[-1].pid).cpu_times()
        return used.user + used.system

    def log(self) -> str:
        """Return the proxy's output."""
        return (self.folder / "proxy.log").read_text(errors="replace")

    def _config(self) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self.upstream_port}/v1"
        return {
            "model_list": [
                {
                    "model_name": name,
                    "litellm_params": {"model": f"openai/{name}", "api_key": UPSTREAM_KEY, "api_base": base},
                }
                for name in self.models
            ],
            "litellm_settings": {"callbacks": ["alertworker.integrations.litellm.callback"], "num_retries": 0},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": MASTER_KEY, "alerting_threshold": 3, **self.general},
        }

    def _spawn(self, name: str, command: list[str], environ: Mapping[str, str]) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        env = {"HOME": "/", **keep, "PYTHONUNBUFFERED": "1", **environ}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)

    def _wait(self) -> None:
        ends = time.monotonic() + 240
        while time.monotonic() < ends:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/liveliness", timeout=2):
                    return
            except OSError:
                if self._processes[-1].poll() is not None:
                    break
                time.sleep(0.3)
        raise AssertionError(f"the proxy did not start:\n{self.log()[-3000:]}")
