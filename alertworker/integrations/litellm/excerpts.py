"""The first characters of a call's messages, for operators who allow them to leave the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from alertworker.integrations.litellm.coerce import as_mapping, clip
from alertworker.integrations.litellm.deployments import request_metadata
from alertworker.text.redact import within
from alertworker.text.shorten import ELLIPSIS

#: The maximum length of an excerpt in characters.
MAX_EXCERPT: Final = 100
_READ: Final = 2_000
#: The maximum number of messages, and of parts of one message, that are read.
_MOST: Final = 100
#: The keys of a request that may hold its messages, depending on the route.
_MESSAGES: Final = ("messages", "input", "prompt", "contents", "query")
#: LiteLLM's headers by which a caller keeps its messages out of all logs.
_WITHHELD: Final = ("x-litellm-enable-message-redaction", "litellm-enable-message-redaction")


def request_excerpt(request: Mapping[str, object]) -> str | None:
    """Return the excerpt of a failed request, or ``None`` if its key or its caller keeps messages out of logs.

    LiteLLM itself removes those messages from its success log.
    """
    headers = as_mapping(request_metadata(request).get("headers"))
    if str(request.get("turn_off_message_logging")).lower() == "true" or any(map(headers.get, _WITHHELD)):
        return None
    return excerpt(next((request[key] for key in _MESSAGES if request.get(key)), None))


def excerpt(messages: object) -> str | None:
    """Return the first characters of messages, of an input or of a list of inputs, without reading much more of them.

    Of content in parts only the text is used, not images or tokens.
    """
    text = ""
    for line in _lines(messages):
        text += f"{line}\n"
        if len(text) >= _READ:
            break
    return clip(within(text.strip(), MAX_EXCERPT, mark=ELLIPSIS), MAX_EXCERPT)


def _lines(messages: object) -> Iterator[str]:
    for message in messages[:_MOST] if isinstance(messages, list) else [messages]:
        if isinstance(message, str):
            yield message[:_READ]
        elif isinstance(message, Mapping):
            role, content = message.get("role"), message.get("content") or message.get("parts")
            text = " ".join(_texts(content))
            if text:
                yield f"{role}: {text}" if isinstance(role, str) else text


def _texts(content: object) -> Iterator[str]:
    for part in content[:_MOST] if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str) and text:
            yield text[:_READ]
