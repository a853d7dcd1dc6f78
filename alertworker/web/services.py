"""``GET /health/services?service=slack``: send a test message for each alert type, and return the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker.channels import CHANNELS
from alertworker.errors import StoreUnavailable
from alertworker.pipeline import ChannelTest
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal

#: The kinds of channel with a remote receiver.
SERVICES: Final = tuple(sorted(kind for kind, channel in CHANNELS.items() if channel.is_remote))


async def services(request: Request) -> Response:
    """Test the channels of one kind. Return 502 if a receiver did not accept its message."""
    context = context_of(request)
    context.keys.require_admin(request)
    service = request.query_params.get("service", "")
    if service not in SERVICES:
        raise Refusal(422, f"unknown service; expected one of {', '.join(SERVICES)}")
    try:
        tests = await asyncio.to_thread(context.try_service, service, datetime.now(UTC))
    except StoreUnavailable as error:
        raise Refusal(503, str(error), retry_after=5) from None
    if not tests:
        raise Refusal(
            422, f"no enabled alert type is routed to a {service} channel; `alertworker check` prints the routes"
        )
    answer = explain(service, tests)
    return JSONResponse(answer, 502 if answer["status"] == "error" else 200)


def explain(service: str, tests: Sequence[ChannelTest]) -> dict[str, object]:
    """Return LiteLLM's response with the result of each message added.

    The result of a webhook has the posted JSON in ``sent``. The response also includes the fields of the budget
    webhook's event, as LiteLLM's does.
    """
    failed = sum(test.failed for test in tests)
    shadow = any(test.shadowed for test in tests)
    status = "error" if failed else "shadow" if shadow else "success"
    message = {
        "error": f"{failed} of {len(tests)} test messages were not accepted; see results",
        "shadow": "alertworker.shadow is on: nothing was sent",
        "success": f"{service} accepted {len(tests)} test messages; verify that they are visible there",
    }[status]
    results = [_result(test, is_json=CHANNELS[service].for_programs) for test in tests]
    answer: dict[str, object] = {
        "status": status,
        "alert_types": list(dict.fromkeys(test.type.value for test in tests)),
        "message": message,
        "results": results,
    }
    sent = (result.get("sent") for result in results)
    return next((event for event in sent if isinstance(event, dict) and "event_group" in event), {}) | answer


def _result(test: ChannelTest, *, is_json: bool) -> dict[str, object]:
    fields = {"channel": test.channel, "alert_type": test.type.value, "status": test.status, "answer": test.answer}
    fields |= {"reason": test.reason} if test.reason else {}
    return fields | ({"sent": json.loads(test.body)} if is_json and test.body else {})


ROUTES: Final = (Route("/health/services", services),)
