"""``GET /openapi.json``: the OpenAPI document of the HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker import __version__
from alertworker.alerts.catalogue import AlertType
from alertworker.events import PublishedEvent
from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import SEALED_TYPE
from alertworker.integrations.litellm.relay import MAX_BODY
from alertworker.web.events import MAX_BYTES
from alertworker.web.services import SERVICES

_REASON: Final = {"$ref": "#/components/responses/Refusal"}
#: The last segment of the path is the alert type. An unknown type is accepted and becomes an alert of type `unknown`.
_TYPE: Final = {"name": "type", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_ANY_KEY: Final[list[dict[str, list[str]]]] = [{"publishKey": []}, {"adminKey": []}]


async def openapi(_request: Request) -> Response:
    """Return the OpenAPI document as JSON."""
    return JSONResponse(document())


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document. The schemas of events are generated from their models."""
    schema = TypeAdapter(PublishedEvent).json_schema(ref_template="#/components/schemas/{model}")
    schemas = schema.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "alertworker", "version": __version__},
        "paths": {
            "/v1/events": {"post": _events()},
            "/health/liveliness": {"get": _get("Check liveness", {"200": _json("Alive", {"type": "string"})})},
            "/health/liveness": {"get": _get("Check liveness", {"200": _json("Alive", {"type": "string"})})},
            "/health/readiness": {
                "get": _get("Check readiness", {"200": _ready("Ready"), "503": _ready("Not ready; see the reasons")})
            },
            "/health/services": {"get": _services()},
            "/integrations/litellm/slack": {"post": _relay("Receive a chat message from LiteLLM")},
            "/integrations/litellm/slack/{type}": {
                "post": _relay("Receive a chat message from LiteLLM as an alert of this type", _TYPE)
            },
            "/integrations/litellm/webhook": {
                "post": _relay("Receive a budget event that LiteLLM posts to WEBHOOK_URL")
            },
            "/metrics": {
                "get": _get(
                    "Read metrics for Prometheus", {"200": _content("Metrics", "text/plain", {"type": "string"})}
                )
            },
            "/openapi.json": {"get": _get("Read this document", {"200": _json("This document", {"type": "object"})})},
        },
        "components": {
            "schemas": schemas | {"Event": schema},
            "securitySchemes": {name: {"type": "http", "scheme": "bearer"} for name in ("publishKey", "adminKey")}
            | {"keyInAddress": {"type": "apiKey", "in": "query", "name": "key"}},
            "responses": {
                "Refusal": _json("The reason for the refusal", _object({"error": {"type": "string"}}, "error"))
            },
        },
    }


def _events() -> dict[str, object]:
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
                f"One event, an array of events, or one event a line, at most {MAX_BYTES} bytes. Or a publisher's "
                "sealed batch with the headers alertworker-batch-id (a UUID), alertworker-sealed-at (ISO 8601) and "
                "alertworker-count."
            ),
            "content": {
                "application/json": {"schema": {"oneOf": [one, many]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
                SEALED_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            "202": _json("The broker has confirmed the valid events", taken),
            "422": _json(
                "The body has no valid event", _object({"error": {"type": "string"}, "errors": errors}, "error")
            ),
            **dict.fromkeys(("400", "401", "408", "413", "415", "429", "503"), _REASON),
        },
    }


def _relay(summary: str, *parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the operation of a relay URL. LiteLLM defines the body; an unrecognized one becomes an alert `unknown`."""
    taken = _content("The broker has confirmed the alert", "text/plain", {"type": "string", "const": "ok"})
    return {
        "summary": summary,
        "security": [*_ANY_KEY, {"keyInAddress": []}],
        "parameters": list(parameters),
        "requestBody": {
            "required": True,
            "description": f"The JSON object that LiteLLM posts, at most {MAX_BODY} bytes.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "responses": {"200": taken, **dict.fromkeys(("400", "401", "408", "413", "429", "503"), _REASON)},
    }


def _services() -> dict[str, object]:
    text = {"type": "string"}
    sent = _object(dict.fromkeys(("channel", "alert_type", "status", "answer", "reason"), text) | {"sent": {}})
    fields = {
        "status": {"enum": ["success", "shadow", "error"]},
        "message": text,
        "alert_types": {"type": "array", "items": {"enum": [alert_type.value for alert_type in AlertType]}},
        "results": {"type": "array", "items": sent | {"required": ["channel", "alert_type", "status", "answer"]}},
    }
    result = _json("The answer of each receiver, and the event of a budget webhook", _object(fields, *fields))
    responses = {"200": result, "502": result, **dict.fromkeys(("401", "422", "503"), _REASON)}
    operation = _get("Send test messages", responses)
    service = {"type": "string", "enum": list(SERVICES)}
    parameter = _parameter("service", "query", service) | {"required": True}
    return operation | {"security": [{"adminKey": []}], "parameters": [parameter]}


def _get(summary: str, responses: Mapping[str, object]) -> dict[str, object]:
    return {"summary": summary, "responses": dict(responses)}


def _ready(text: str) -> dict[str, object]:
    texts = {"type": "array", "items": {"type": "string"}}
    properties = {"status": {"type": "string"}, "reasons": texts, "failing_steps": texts}
    return _json(text, _object(properties, "status", "reasons", "failing_steps"))


def _json(text: str, schema: Mapping[str, object]) -> dict[str, object]:
    return _content(text, "application/json", schema)


def _content(text: str, media_type: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"description": text, "content": {media_type: {"schema": schema}}}


def _object(properties: Mapping[str, object], *required: str) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _parameter(name: str, place: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "in": place, "schema": schema}


ROUTES: Final = (Route("/openapi.json", openapi),)
