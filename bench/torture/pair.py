"""One LiteLLM proxy, watched by LiteLLM's alerting and by ours. Each posts to its own counting receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from alertworker.events import Event
from alertworker.publisher import BrokerTransport, Publisher
from bench.torture.ledger import counted
from tests.acceptance.proxy import MASTER_KEY, Proxy
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.ports import free_port

#: LiteLLM sends its queue every 5 s. Waits allow for two rounds.
FLUSH_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 2 * FLUSH_SECONDS + 1
#: The default ``alerting_threshold`` of a setup, in seconds.
THRESHOLD: Final = 3
#: Fails once before each scenario, with healthy receivers, to verify that both sides can send.
CONTROL: Final = "status-500-control"
#: A start uses the whole processor: starts in turn are faster and do not disturb other waits.
_STARTING: Final = Lock()


@dataclass(frozen=True, eq=False)
class Setup:
    """The setup of scenarios. Both sides get the same ``alert_types``, ``general_settings`` and traffic.

    ``adapt`` changes the proxy's configuration, ``files`` are written to its folder, and ``worker`` is our own section.
    """

    alert_types: tuple[str, ...]
    models: tuple[str, ...] = ()
    general: Mapping[str, Any] = field(default_factory=dict)
    adapt: Callable[[dict[str, Any]], dict[str, Any]] = lambda config: config
    files: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    worker: Mapping[str, Any] = field(default_factory=dict)

    @property
    def litellm_keys(self) -> dict[str, Any]:
        """Return LiteLLM's keys for alerting, as both sides read them."""
        return {
            "alerting": ["slack"],
            "alert_types": [*self.alert_types, "llm_exceptions"],
            "alerting_threshold": THRESHOLD,
            **self.general,
        }


@dataclass(frozen=True)
class Pair:
    """A proxy with both kinds of alerting, our installation, and the two receivers."""

    proxy: Proxy
    stack: Stack
    theirs: Receiver
    ours: Receiver
    #: LiteLLM's alerting is off: ``theirs`` gets no message, and waits skip it.
    alone: bool = False

    @property
    def receivers(self) -> tuple[Receiver, Receiver]:
        """Return both receivers."""
        return self.theirs, self.ours

    @property
    def awaited(self) -> tuple[Receiver, ...]:
        """Return the receivers that should get messages."""
        return (self.ours,) if self.alone else self.receivers

    def control(self) -> None:
        """Make a call fail and wait until both sides have sent it. LiteLLM's next flush is then 5 s away."""
        before = [counted(one.taken(CONTROL)) for one in self.awaited]
        self.fail(CONTROL)
        for one, reported in zip(self.awaited, before, strict=True):
            if not wait(lambda one=one, reported=reported: counted(one.taken(CONTROL)) > reported, 30):  # type: ignore[misc]
                raise AssertionError(f"a side sends nothing, even to healthy receivers: {one.posts}")

    def fail(self, model: str, count: int = 1, *, every: float = 0.0) -> None:
        """Make calls of a model fail, one after the other."""
        for _ in range(count):
            status, answer = self.proxy.ask(model)
            assert status >= 400, answer
            time.sleep(every)

    def ask(self, models: list[str], *, at_once: int, **more: Any) -> list[int]:
        """Send the requests, a limited number at a time, and return the statuses."""
        with ThreadPoolExecutor(at_once) as pool:
            return [status for status, _ in pool.map(lambda model: self.proxy.ask(model, **more), models)]

    def settle(self, reported: Callable[[Receiver], bool], seconds: float = SETTLE_SECONDS) -> None:
        """Wait until both sides have sent, or the time is over. Then wait a little for unexpected messages."""
        wait(lambda: all(reported(one) for one in self.awaited), seconds)
        time.sleep(2)


def publish(stack: Stack, *events: Event) -> None:
    """Publish events as a proxy's callback does, for events that no proxy produces."""
    publisher = Publisher(BrokerTransport(stack.broker_url), stack.folder / "spool")
    for event in events:
        publisher.publish(event.model_dump(mode="json", exclude_none=True))
    publisher.close()


def wait(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds. Return whether it did."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def running(setup: Setup, folder: Path, *, alone: bool = False) -> Iterator[Pair]:
    """Run both sides on one proxy; ``alone`` turns LiteLLM's alerting off."""
    with receiver() as theirs, receiver() as ours:
        stack = Stack(folder / "s", json.dumps(_worker(setup, ours.url)), {"ALERTWORKER_HTTP_PORT": str(free_port())})
        proxy = _Proxy(
            folder / "p",
            stack.broker_url,
            (CONTROL, *setup.models),
            setup.litellm_keys | ({"alerting": []} if alone else {}),
            environ={"SLACK_WEBHOOK_URL": f"{theirs.url}/slack", "WEBHOOK_URL": f"{theirs.url}/budgets"},
            arguments=setup.arguments,
            adapt=setup.adapt,
        )
        proxy.folder.mkdir(parents=True)
        for name, text in setup.files.items():
            (proxy.folder / name).write_text(text)
        try:
            with _STARTING:
                stack.up()
                proxy.up()
            yield Pair(proxy, stack, theirs, ours, alone)
        finally:
            proxy.down()
            stack.down()


def _worker(setup: Setup, url: str) -> dict[str, Any]:
    """Return our configuration: the proxy's keys, and summaries as often as LiteLLM sends."""
    return {
        "general_settings": setup.litellm_keys | {"master_key": MASTER_KEY},
        "environment_variables": {"SLACK_WEBHOOK_URL": f"{url}/slack", "WEBHOOK_URL": f"{url}/budgets"},
        "alertworker": {"group_interval": FLUSH_SECONDS, **setup.worker},
    }


@dataclass
class _Proxy(Proxy):
    """A proxy whose configuration a setup may change."""

    adapt: Callable[[dict[str, Any]], dict[str, Any]] = lambda config: config

    def _config(self) -> dict[str, Any]:
        return self.adapt(super()._config())
