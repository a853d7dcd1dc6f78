"""What went wrong, by cause, in words that hold neither a secret nor the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from alertworker.events.base import MAX_NAME, MAX_TEXT

#: Classes of LiteLLM that name the caller's own mistake, where the status does not say otherwise (LiteLLM wraps an
#: upstream's 401 as a BadRequestError with status 401).
_CALLERS: Final = frozenset(
    {
        "BadRequestError",
        "BudgetExceededError",
        "ContentPolicyViolationError",
        "ContextWindowExceededError",
        "ImageFetchError",
        "InvalidRequestError",
        "RejectedRequestError",
        "UnprocessableEntityError",
        "UnsupportedParamsError",
    }
)
_CALLERS_STATUS: Final = frozenset({None, 400, 413, 415, 422})

_SECRETS: Final = re.compile(
    r"sk-[A-Za-z0-9_\-*.]{4,}"
    r"|(?i:bearer)\s+[^\s\"',]+"
    r"|eyJ[A-Za-z0-9_\-]{10,}(?:\.[A-Za-z0-9_\-]+)*"
    r"|\bAKIA[0-9A-Z]{12,}"
    r"|\bAIza[0-9A-Za-z_\-]{20,}"
    r"|(?<=//)[^\s/@]+:[^\s/@]+@"
    r"|(?i:(?:api[-_ ]?key|access[-_ ]?key|token|secret|password)(?:\s+provided)?[\"']?\s*[:=]\s*)"
    r"[\"']?[^\s\"',;&}]{4,}"
    r"|(?<=[?&])[^\s=&]+=[^\s&\"']+"
)
#: Where LiteLLM's own additions to a message begin; they may repeat the messages.
_ADDITIONS: Final = re.compile(
    r"\n*(?:Key Name: |Model: |API Base: |Messages: |model_group: "
    r"|Received Model Group|Available Model Group|LiteLLM Retried|LiteLLM: model group )"
)
#: A piece of the prompt this long, in characters, is taken out of a message.
_PIECE: Final = 12
#: How much of a message and of a prompt is looked at, in characters: bounds the work on a failing request.
_MAX_MESSAGE: Final = 1_500
_MAX_PROMPT: Final = 60_000
REMOVED: Final = "[removed]"


def origin(error: object, *, attempted: bool) -> str:
    """Say who caused it: "provider", "proxy" or "caller". ``attempted`` says that a deployment was really called."""
    status = status_code(error)
    name = type(error).__name__
    if name.startswith("RouterRateLimit"):
        return "proxy"
    if not attempted:
        return "caller" if name in _CALLERS or (status is not None and status < 500) else "proxy"
    if name in _CALLERS and status in _CALLERS_STATUS:
        return "caller"
    return "provider"


def status_code(error: object) -> int | None:
    """Give the HTTP status an error carries, if it is one."""
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
    return None


def describe(error: object, request: Mapping[str, Any], *, attempted: bool) -> dict[str, Any]:
    """Give a `Failure`'s fields."""
    raw = getattr(error, "message", None) or getattr(error, "detail", None) or error
    return {
        "error_class": type(error).__name__[:MAX_NAME],
        "status_code": status_code(error),
        "origin": origin(error, attempted=attempted),
        "message": scrub(str(raw), prompt_texts(request)),
    }


def scrub(message: str, prompts: Iterable[str]) -> str:
    """Take secrets, LiteLLM's additions and every piece of the prompt out of a message, and cut it visibly."""
    addition = _ADDITIONS.search(message)
    if addition is not None:
        message = message[: addition.start()]
    cut = len(message) > _MAX_MESSAGE
    message = _SECRETS.sub(REMOVED, message[:_MAX_MESSAGE])
    message = _without(message, "\n".join(prompts)[:_MAX_PROMPT])
    message = message.replace("\0", "").encode(errors="replace").decode()
    return (message + "… cut" if cut else message)[:MAX_TEXT]


def prompt_texts(request: Mapping[str, Any]) -> list[str]:
    """Give the texts of a request's messages, input and prompt, up to a bound."""
    found: list[str] = []
    waiting: list[Any] = [request.get(name) for name in ("messages", "input", "prompt", "system", "instructions")]
    room = _MAX_PROMPT
    while waiting and room > 0:
        item = waiting.pop(0)
        if isinstance(item, str):
            found.append(item[:room])
            room -= len(item)
        elif isinstance(item, Mapping):
            waiting += [item.get(name) for name in ("content", "text", "input", "arguments")]
        elif isinstance(item, list | tuple):
            waiting += item[:200]
    return found


def _without(message: str, prompt: str) -> str:
    """Replace every run of a message that stands in the prompt, from `_PIECE` characters on."""
    if len(prompt) < _PIECE:
        return message if len(prompt.strip()) < 4 else message.replace(prompt, REMOVED)
    kept: list[str] = []
    at = 0
    while at < len(message):
        if message[at : at + _PIECE] not in prompt or len(message) - at < _PIECE:
            kept.append(message[at])
            at += 1
            continue
        end = at + _PIECE
        while end < len(message) and message[at : end + 1] in prompt:
            end += 1
        kept.append(REMOVED)
        at = end
    return "".join(kept)
