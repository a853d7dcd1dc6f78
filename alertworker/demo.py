"""The traffic simulator of the demo: calls of a small company, with one problem of each kind every few minutes.

It uses the real publisher, so the rest of the pipeline is the same as in production.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final
from uuid import uuid4

from alertworker.host.logs import name_program, set_up_logs
from alertworker.publisher import Publisher, get_publisher
from alertworker.settings import load_settings

_TEAMS: Final = ("search", "billing", "support")
_DEPLOYMENTS: Final = (("gpt-4o", "azure-eastus-2"), ("gpt-4o", "openai"), ("claude-sonnet", "bedrock-us-east-1"))
#: The second of the minute at which each problem begins.
_SLOW, _OUTAGE, _HANG, _HANG_ENDS = 4, 8, 12, 35
#: The deployment that fails, the seconds of its outage, and the minutes from one outage to the next. Each outage
#: resolves before the next one.
_FAILING: Final = _DEPLOYMENTS[0]
_OUTAGE_SECONDS, _OUTAGE_EVERY = 12, 4
#: A team's budget in nano-dollars, the share of it that is used at the start, how much each minute adds, and the second
#: at which it is added: the alerts of 85 %, 95 % and 100 % come one a minute.
_BUDGETED, _MAX_NANOS, _USED, _A_MINUTE, _SPENDS = "billing", 50_000_000_000, 0.78, 0.09, 16
#: Each demo has the same traffic.
_random: Final = random.Random(20)


def main() -> None:
    """Publish traffic until a signal arrives."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name_program("demo")
    set_up_logs(load_settings().log_format, "WARNING")
    publisher = get_publisher(threshold_seconds=5.0)
    try:
        for minute in count():
            _minute(publisher, minute)
    except KeyboardInterrupt:
        publisher.close()


def _minute(publisher: Publisher, minute: int) -> None:
    outage = minute % _OUTAGE_EVERY == 0
    hung, hung_at = _call("claude-sonnet", "bedrock-us-east-1"), datetime.now(UTC)
    for second in range(60):
        _traffic(publisher, fails=outage and _OUTAGE <= second < _OUTAGE + _OUTAGE_SECONDS)
        if second == _SLOW:
            publisher.publish(_answered(_call(*_random.choice(_DEPLOYMENTS)), 11.3))
        if second == _SPENDS:
            publisher.publish(_answered(_call(*_DEPLOYMENTS[1], team=_BUDGETED), 0.5) | {"budgets": [_budget(minute)]})
        if second == _HANG:
            hung_at = datetime.now(UTC)
            publisher.inflight.start(str(hung["call_id"]), lambda: hung)
        if second == _HANG_ENDS:
            announced = publisher.inflight.finish(str(hung["call_id"]))
            publisher.publish(_answered(hung, 0) | {"started_at": hung_at, "announced": announced})
        time.sleep(1)


def _traffic(publisher: Publisher, *, fails: bool) -> None:
    """Publish the calls of one second. With ``fails`` one deployment fails all its calls."""
    for _ in range(_random.randint(2, 6)):
        deployment = _random.choice(_DEPLOYMENTS[1:] if fails else _DEPLOYMENTS)
        publisher.publish(_answered(_call(*deployment), _random.uniform(0.3, 2.0)))
    for _ in range(3 if fails else 0):
        for event in _failed(_call(*_FAILING)):
            publisher.publish(event)


def _budget(minute: int) -> dict[str, str | int]:
    """Return the budget as it is after so many minutes."""
    used = min(1.0, _USED + _A_MINUTE * (minute + 1))
    entity = f"demo-{_BUDGETED}"
    return {"scope": "team", "entity_id": entity, "spend_nanos": int(used * _MAX_NANOS), "max_nanos": _MAX_NANOS}


def _call(model: str, deployment: str, *, team: str | None = None) -> dict[str, object]:
    team = team or _random.choice(_TEAMS)
    return {
        "call_id": f"demo-{uuid4()}",
        "model": model,
        "model_group": model,
        "deployment_id": deployment,
        "provider": deployment.split("-", maxsplit=1)[0],
        "team_id": f"demo-{team}",
        "team_alias": team,
        "key_alias": f"demo-{team}-app",
        "tags": ["demo"],
    }


def _answered(call: Mapping[str, object], seconds: float) -> dict[str, object]:
    now = datetime.now(UTC)
    tokens = _random.randint(20, 800)
    return {
        **call,
        "type": "llm.request.succeeded",
        "started_at": now - timedelta(seconds=seconds),
        "ended_at": now,
        "prompt_tokens": tokens,
        "completion_tokens": tokens // 3,
        "cost_nanos": tokens * 2_500,
    }


def _failed(call: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Yield the failed attempt of a call, and the end of the call."""
    now = datetime.now(UTC)
    common = {
        **call,
        "started_at": now - timedelta(seconds=1),
        "failure": {
            "error_class": "ServiceUnavailableError",
            "status_code": 503,
            "origin": "provider",
            "message": "The server is overloaded or not ready yet.",
        },
    }
    yield common | {"type": "llm.attempt.failed", "seconds": 1.0, "first_on_deployment": True}
    failed_on = [{"deployment_id": call["deployment_id"], "provider": call["provider"]}]
    yield common | {"type": "llm.request.failed", "ended_at": now, "failed_on": failed_on}


if __name__ == "__main__":
    main()
