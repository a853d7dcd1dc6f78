"""``GET /openapi.json``: what is served here, for machines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker import __version__
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AnyEvent
from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import SEALED_TYPE
from alertworker.integrations.litellm.relay import MAX_BODY
from alertworker.web.events import MAX_BYTES
from alertworker.web.services import SERVICES

_REASON: Final = {"$ref": "#/components/responses/Refusal"}
#: The end of a path is the type, whatever it is: one that nobody knows is told as such.
_TYPE: Final = {"name": "type", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_ANY_KEY: Final[list[dict[str, list[str]]]] = [{"publishKey": []}, {"adminKey": []}]


async def openapi(_request: Request) -> Response:
    """Give the OpenAPI document."""
    return JSONResponse(document())


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Give the OpenAPI 3.1 document; the events in it are made from their models."""
    schema = TypeAdapter(AnyEvent).json_schema(ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = schema.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "alertworker", "version": __version__},
        "paths": {
            "/v1/events": {"post": _events()},
            "/health/liveliness": {"get": _get("This process lives", {"200": _json("It does", {"type": "string"})})},
            "/health/liveness": {"get": _get("This process lives", {"200": _json("It does", {"type": "string"})})},
            "/health/readiness": {
                "get": _get("The line flows", {"200": _ready("It does"), "503": _ready("It does not")})
            },
            "/health/services": {"get": _services()},
            "/integrations/litellm/slack": {"post": _relay("Take a text that LiteLLM posts to a chat")},
            "/integrations/litellm/slack/{type}": {
                "post": _relay("Take a text that LiteLLM posts to a chat, as an alert of a type", _TYPE)
            },
            "/integrations/litellm/webhook": {"post": _relay("Take a budget event that LiteLLM posts to WEBHOOK_URL")},
            "/metrics": {
                "get": _get("Figures for Prometheus", {"200": _content("Figures", "text/plain", {"type": "string"})})
            },
            "/openapi.json": {"get": _get("This document", {"200": _json("This document", {"type": "object"})})},
        },
        "components": {
            "schemas": schemas | {"Event": schema},
            "securitySchemes": {name: {"type": "http", "scheme": "bearer"} for name in ("publishKey", "adminKey")}
            | {"keyInAddress": {"type": "apiKey", "in": "query", "name": "key"}},
            "responses": {"Refusal": _json("Why not", _object({"error": {"type": "string"}}, "error"))},
        },
    }


def _events() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Event"}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_EVENTS}
    error = _object({"index": {"type": "integer"}, "error": {"type": "string"}}, "index", "error")
    errors = {"type": "array", "items": error}
    taken = _object(
        {"batch_id": {"type": "string"}, "accepted": {"type": "integer"}, "errors": errors},
        "batch_id",
        "accepted",
        "errors",
    )
    return {
        "summary": "Publish events",
        "security": _ANY_KEY,
        "parameters": [_parameter("Idempotency-Key", "header", {"type": "string", "pattern": "^[!-~]{1,256}$"})],
        "requestBody": {
            "required": True,
            "description": (
                f"One event, an array of them, or one a line, {MAX_BYTES} bytes at the most; or a publisher's sealed "
                "batch with the headers alertworker-batch-id (a UUID), alertworker-sealed-at (ISO 8601) and "
                "alertworker-count."
            ),
            "content": {
                "application/json": {"schema": {"oneOf": [one, many]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
                SEALED_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            "202": _json("The broker has the good ones", taken),
            "422": _json("None can be read", _object({"error": {"type": "string"}, "errors": errors}, "error")),
            **dict.fromkeys(("400", "401", "408", "413", "415", "429", "503"), _REASON),
        },
    }


def _relay(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    """Describe a place for what LiteLLM posts; its form is LiteLLM's, and what cannot be placed is taken as unknown."""
    taken = _content("The broker has it", "text/plain", {"type": "string", "const": "ok"})
    return {
        "summary": summary,
        "security": [*_ANY_KEY, {"keyInAddress": []}],
        "parameters": list(parameters),
        "requestBody": {
            "required": True,
            "description": f"What LiteLLM posts: a JSON object of {MAX_BODY} bytes at the most.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "responses": {"200": taken, **dict.fromkeys(("400", "401", "408", "413", "429", "503"), _REASON)},
    }


def _services() -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    sent = _object(dict.fromkeys(("channel", "alert_type", "status", "answer", "reason"), text) | {"sent": {}})
    fields = {
        "status": {"enum": ["success", "shadow", "error"]},
        "message": text,
        "alert_types": {"type": "array", "items": {"enum": [kind.value for kind in AlertType]}},
        "results": {"type": "array", "items": sent | {"required": ["channel", "alert_type", "status", "answer"]}},
    }
    result = _json("What each receiver said; of a budget webhook its event, too", _object(fields, *fields))
    operation = _get("Send test messages", {"200": result, "502": result})
    operation["responses"] |= dict.fromkeys(("401", "422", "503"), _REASON)
    service = {"type": "string", "enum": list(SERVICES)}
    parameter = _parameter("service", "query", service) | {"required": True}
    return operation | {"security": [{"adminKey": []}], "parameters": [parameter]}


def _get(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": dict(responses)}


def _ready(text: str) -> dict[str, Any]:
    reasons = {"type": "array", "items": {"type": "string"}}
    return _json(text, _object({"status": {"type": "string"}, "reasons": reasons}, "status", "reasons"))


def _json(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return _content(text, "application/json", schema)


def _content(text: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema}


ROUTES: Final = (Route("/openapi.json", openapi),)
