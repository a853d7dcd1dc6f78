"""``POST /integrations/litellm/…``: receive the alerts that LiteLLM's own alerting posts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alertworker.events import Event
from alertworker.events.base import new_id
from alertworker.events.batch import seal
from alertworker.integrations.litellm.relay import MAX_BODY, RelayError, read_slack, read_webhook
from alertworker.web.addresses import address_of
from alertworker.web.context import Context, context_of
from alertworker.web.errors import Refusal


async def post_slack(request: Request) -> Response:
    """Receive a chat message from LiteLLM. ``TYPE`` in the path sets the alert type and overrides the text's type."""
    context = context_of(request)
    named = request.path_params.get("type")
    return await _relay(request, context, partial(read_slack, named=named, show_messages=context.show_messages))


async def post_webhook(request: Request) -> Response:
    """Receive a budget event that LiteLLM posts to its ``WEBHOOK_URL``."""
    return await _relay(request, context_of(request), read_webhook)


async def _relay(request: Request, context: Context, read: Callable[..., Event]) -> Response:
    """Return 200 once the broker has confirmed the event: LiteLLM drops an alert after any other status.

    Every client needs the publish key. LiteLLM cannot send our header, so the key may be in the URL.
    """
    context.keys.require_publisher(request, query="key")
    now, address = datetime.now(UTC), address_of(request)
    async with context.room.read(request, MAX_BODY) as body:
        try:
            event = await context.decoders.run(lambda _stopped: read(body, now=now, host=address or None), address)
        except RelayError as error:
            raise Refusal(400, str(error)) from None
        encoded = event.model_dump_json(exclude_none=True).encode()
        await context.broker_queue.put(seal([encoded], batch_id=str(new_id()), producer="litellm-relay", sealed_at=now))
    return PlainTextResponse("ok")


ROUTES: Final = (
    Route("/integrations/litellm/slack", post_slack, methods=["POST"]),
    Route("/integrations/litellm/slack/{type}", post_slack, methods=["POST"]),
    Route("/integrations/litellm/webhook", post_webhook, methods=["POST"]),
)
