"""Looks for the cooldowns that LiteLLM's router begins after failed attempts, without delaying the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from alertworker.integrations.litellm.coerce import moment
from alertworker.integrations.litellm.options import seconds

#: How long after a failed attempt the router has decided, in seconds. Its default cooldown is 5 s.
DELAY: Final = 1.0
#: How many cooldowns are remembered, so that each is published once.
_MAX_KNOWN: Final = 1_000

#: Returns the active cooldowns of these deployments, like LiteLLM's ``async_get_active_cooldowns``.
Cooldowns = Callable[[Sequence[str]], Awaitable[Sequence[tuple[str, Mapping[str, Any]]]]]


class CooldownWatch:
    """Asks the router once for each deployment that failed, and publishes each cooldown once."""

    def __init__(
        self, publish: Callable[[Mapping[str, object]], None], cooldowns: Cooldowns, *, delay: float = DELAY
    ) -> None:
        self._publish = publish
        self._cooldowns = cooldowns
        self._delay = delay
        self._asking: dict[str, Mapping[str, object]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: dict[tuple[str, object], None] = {}

    def failed(self, deployment: Mapping[str, Any], failure: Mapping[str, Any]) -> None:
        """Record a failed attempt. ``deployment`` holds the fields that events carry."""
        deployment_id = deployment.get("deployment_id")
        if not deployment_id:
            return
        waiting = deployment_id in self._asking
        self._asking[deployment_id] = {**deployment, "failure": failure}
        if not waiting:
            asyncio.get_running_loop().call_later(self._delay, self._start_asking, deployment_id)

    def _start_asking(self, deployment_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(deployment_id, self._asking.pop(deployment_id)))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # an error of LiteLLM's cache is neither the request's nor ours

    async def _ask(self, deployment_id: str, fields: Mapping[str, object]) -> None:
        for found, cooldown in await self._cooldowns([deployment_id]):
            begun, length = moment(cooldown.get("timestamp")), seconds(cooldown.get("cooldown_time"))
            key = (found, cooldown.get("timestamp"))
            if begun is None or length is None or key in self._known:
                continue
            self._known[key] = None
            if len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            event = {"type": "llm.deployment.cooled_down", "occurred_at": begun, "seconds": length}
            self._publish({**fields, **event})
