"""The traffic simulator of the demo: calls of a small company, with one problem of each kind every minute.

It uses the real publisher, so the rest of the pipeline is the same as in production.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from alertworker.host.logs import set_up_logs
from alertworker.publisher import Publisher, get_publisher
from alertworker.settings import load_settings

_TEAMS: Final = ("search", "billing", "support")
_DEPLOYMENTS: Final = (("gpt-4o", "azure-eastus-2"), ("gpt-4o", "openai"), ("claude-sonnet", "bedrock-us-east-1"))
#: The second of the minute at which each problem begins.
_SLOW, _BURST, _HANG, _HANG_ENDS = 4, 8, 12, 35


def main() -> None:
    """Publish traffic until a signal arrives."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    set_up_logs(load_settings().log_format, "WARNING")
    publisher = get_publisher(threshold_seconds=5.0)
    try:
        while True:
            _minute(publisher)
    except KeyboardInterrupt:
        publisher.close()


def _minute(publisher: Publisher) -> None:
    hung = f"demo-{uuid4()}"
    hung_at = datetime.now(UTC)
    for second in range(60):
        for _ in range(random.randint(2, 6)):
            publisher.publish(_answered(random.uniform(0.3, 2.0)))
        if second == _SLOW:
            publisher.publish(_answered(11.3))
        if _BURST <= second < _BURST + 6:
            for _ in range(3):
                publisher.publish(_failed())
        if second == _HANG:
            hung_at = datetime.now(UTC)
            publisher.inflight.start(hung, lambda: _call("claude-sonnet", "bedrock-us-east-1"))
        if second == _HANG_ENDS:
            announced = publisher.inflight.finish(hung)
            publisher.publish(_answered(0) | {"call_id": hung, "started_at": hung_at, "announced": announced})
        time.sleep(1)


def _call(model: str, deployment: str) -> dict[str, Any]:
    team = random.choice(_TEAMS)
    return {
        "model": model,
        "model_group": model,
        "deployment_id": deployment,
        "provider": deployment.split("-", maxsplit=1)[0],
        "team_id": f"demo-{team}",
        "team_alias": team,
        "key_alias": f"demo-{team}-app",
        "tags": ["demo"],
    }


def _answered(seconds: float) -> dict[str, Any]:
    now = datetime.now(UTC)
    tokens = random.randint(20, 800)
    return _call(*random.choice(_DEPLOYMENTS)) | {
        "type": "llm.request.succeeded",
        "call_id": f"demo-{uuid4()}",
        "started_at": now - timedelta(seconds=seconds),
        "ended_at": now,
        "prompt_tokens": tokens,
        "completion_tokens": tokens // 3,
        "cost_nanos": tokens * 2_500,
    }


def _failed() -> Mapping[str, Any]:
    now = datetime.now(UTC)
    return _call("gpt-4o", "azure-eastus-2") | {
        "type": "llm.request.failed",
        "call_id": f"demo-{uuid4()}",
        "started_at": now - timedelta(seconds=1),
        "ended_at": now,
        "failure": {
            "error_class": "ServiceUnavailableError",
            "status_code": 503,
            "origin": "provider",
            "message": "The server is overloaded or not ready yet.",
        },
    }


if __name__ == "__main__":
    main()
