"""Finds in a request what its caller wrote, and in a response what the model wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Final

from alertworker.integrations.litellm.coerce import as_mapping
from alertworker.integrations.litellm.echoes import MIN_PIECE, TooLargeError, weight

#: The maximum number of parts of a request, before a text is removed.
_MAX_PARTS: Final = 50_000
#: The keys of a request that hold its caller's text, and the keys in them that hold names. A value with a blank is the
#: caller's text in any key.
_PROMPT_FIELDS: Final = (
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "contents",
    "query",
    "documents",
    "tools",
    "functions",
    "response_format",
    "prediction",
    "suffix",
    "system_instruction",
    "systemInstruction",
    "inputs",
    "text",
    "texts",
    "message",
    "chat_history",
    "file",
    "requests",
)
#: The keys of a response that hold the model's answer in words.
_ANSWER_FIELDS: Final = ("choices", "output", "content", "text")
_NAMES: Final = frozenset({"role", "type", "id", "name", "tool_call_id", "detail", "format"})
#: The keys of a body that name or set something. Events have most of them as labels, and an error must be able to name
#: them. Any other key, known or not, may hold the caller's text.
_SETTINGS: Final = frozenset(
    (
        "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "encoding_format", "fallbacks",
        "litellm_call_id", "litellm_metadata", "litellm_session_id", "litellm_trace_id", "metadata", "model",
        "model_info", "region_name", "tags", "user",
    )
)  # fmt: skip
#: LiteLLM's additions to a body that it has not kept yet.
_ADDED: Final = ("call_type", "combined_usage_object", "litellm_logging_obj", "standard_logging_object")
_NO_OTHERS: Final = _SETTINGS.union(_PROMPT_FIELDS, _ADDED)
#: Where LiteLLM keeps the body.
_KEPT: Final = frozenset({"litellm_params", "proxy_server_request"})
#: Parts of LiteLLM's types of calls whose content is not in the request. LiteLLM takes a file, a recording or a form
#: with files out of it before the hooks run. The lines of a batch and the messages of a thread are with the provider.
_UNSEEN: Final = re.compile(
    r"file|batch|transcription|realtime|websocket|fine_tuning|vector_store|container|sandbox|run_code|thread|assistant"
    r"|messages?\Z(?<!anthropic_messages)|ingest|ocr|video|image_edit|mcp"
)
#: Keys of a request that name a text at the provider or in LiteLLM.
_REFERENCES: Final = ("previous_response_id", "conversation", "prompt_id", "prompt_variables")


def prompt_pieces(request: Mapping[str, object]) -> Iterator[str]:
    """Yield the strings of a request that its caller wrote.

    LiteLLM also keeps the body as the caller sent it. Before it does, the request is the body. Of the other fields only
    longer strings are yielded: a short one is mostly a word that says how the call should be made.

    Raises:
        TooLargeError: when the request has too many parts; `remove_prompt` then returns no text.
    """
    for field in _PROMPT_FIELDS:
        yield from _strings(request.get(field))
    body = body_of(request)
    for field in _PROMPT_FIELDS:
        if body.get(field) is not request.get(field):
            yield from _strings(body.get(field))
    others = {
        field: value
        for field, value in (body or request if _KEPT.isdisjoint(request) else body).items()
        if field not in _NO_OTHERS
    }
    yield from (piece for piece in _strings(others) if weight(piece) >= MIN_PIECE)


def answer_pieces(response: object) -> Iterator[str]:
    """Yield the strings of a model's answer, without the response's own fields, such as the model's name.

    Raises:
        TooLargeError: when the answer has too many parts; `remove_prompt` then returns no text.
    """
    if isinstance(response, str):
        yield response
    fields = as_mapping(response)
    for field in _ANSWER_FIELDS:
        yield from (piece for piece in _strings(fields.get(field)) if weight(piece) >= MIN_PIECE)


def is_unseen(request: Mapping[str, object], call_type: object) -> bool:
    """Return whether an error may quote a text of the caller that the request does not have."""
    if isinstance(call_type, str) and _UNSEEN.search(call_type.lower()):
        return True
    if any(request.get(key) for key in _REFERENCES):
        return True
    return not body_of(request) and not any(request.get(field) for field in _PROMPT_FIELDS)


def body_of(request: Mapping[str, object]) -> Mapping[str, object]:
    """Return the body as LiteLLM keeps it. A route that passes requests through keeps it in another place."""
    for holder in (request, as_mapping(request.get("litellm_params"))):
        body = as_mapping(as_mapping(holder.get("proxy_server_request")).get("body"))
        if body:
            return body
    return {}


def _is_name(key: object, item: object) -> bool:
    return key in _NAMES and isinstance(item, str) and " " not in item


def _strings(value: object) -> Iterator[str]:
    """Return the strings of a nested value, without the names of its fields.

    Raises:
        TooLargeError: when it has more than `_MAX_PARTS` parts.
    """
    waiting, parts = [value], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
            continue
        if isinstance(value, BytesIO) and not value.closed:
            value = value.getvalue()
        if isinstance(value, bytes | bytearray):
            yield value.decode("utf-8", "replace")
            continue
        found: Iterable[object] = ()
        if isinstance(value, Mapping):
            parts += len(value)
            found = (item for key, item in value.items() if not _is_name(key, item))
        elif isinstance(value, (list, tuple)):
            parts += len(value)
            found = value
        if parts > _MAX_PARTS:
            raise TooLargeError
        waiting += found
