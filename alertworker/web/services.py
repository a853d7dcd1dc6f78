"""``GET /health/services?service=slack``: a real test per alert type, and what each receiver really said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker.channels import CHANNELS
from alertworker.errors import StoreUnavailable
from alertworker.pipeline import ChannelTest
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal

#: The kinds with a remote receiver.
SERVICES: Final = tuple(sorted(kind for kind, channel in CHANNELS.items() if channel.is_remote))


async def services(request: Request) -> Response:
    """Test one kind of channel; 502 where a receiver did not take its message."""
    context = context_of(request)
    context.keys.require_admin(request)
    service = request.query_params.get("service", "")
    if service not in SERVICES:
        raise Refusal(422, f"service must be one of {', '.join(SERVICES)}")
    try:
        tests = await asyncio.to_thread(context.try_service, service, datetime.now(UTC))
    except StoreUnavailable as error:
        raise Refusal(503, str(error), retry_after=5) from None
    if not tests:
        raise Refusal(
            422, f"no alert type that is on goes to a {service} channel; `alertworker check` shows the routes"
        )
    answer = explain(service, tests)
    return JSONResponse(answer, 502 if answer["status"] == "error" else 200)


def explain(service: str, tests: Sequence[ChannelTest]) -> dict[str, Any]:
    """Give LiteLLM's answer, and beside it what came of each message.

    Of a webhook ``sent`` is its JSON; that of LiteLLM's own, the budget webhook, also stands in the answer itself.
    """
    failed = sum(test.failed for test in tests)
    shadow = any(test.shadowed for test in tests)
    status = "error" if failed else "shadow" if shadow else "success"
    message = {
        "error": f"{failed} of {len(tests)} test messages were not taken; see results",
        "shadow": "alertworker.shadow is on: nothing was sent",
        "success": f"{len(tests)} test messages were taken by {service}; verify that they can be seen there",
    }[status]
    answer: dict[str, Any] = {
        "status": status,
        "alert_types": list(dict.fromkeys(test.type.value for test in tests)),
        "message": message,
        "results": [_result(test, is_json=CHANNELS[service].for_programs) for test in tests],
    }
    sent = (result.get("sent", {}) for result in answer["results"])
    return next((event for event in sent if "event_group" in event), {}) | answer


def _result(test: ChannelTest, *, is_json: bool) -> dict[str, Any]:
    fields = {"channel": test.channel, "alert_type": test.type.value, "status": test.status, "answer": test.answer}
    fields |= {"reason": test.reason} if test.reason else {}
    return fields | ({"sent": json.loads(test.body)} if is_json and test.body else {})


ROUTES: Final = (Route("/health/services", services),)
