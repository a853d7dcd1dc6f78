"""Who caused a failure, judged from the exception LiteLLM raised. Knows its exceptions by name and imports none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alertworker.events import Origin
from alertworker.events.base import MAX_NAME
from alertworker.integrations.litellm.bounds import clip
from alertworker.integrations.litellm.scrub import scrub

#: What a provider answers when the request itself is wrong; its 401, 403 and 404 mean our deployment is.
_REQUEST_IS_WRONG: Final = frozenset({400, 413, 415, 422})
#: Modules whose exceptions speak for a deployment or the way to it: LiteLLM derives its provider errors from openai's.
_PROVIDER_MODULES: Final = ("openai", "litellm.llms", "httpx", "httpcore", "aiohttp", "botocore", "google")
#: nginx's status for a client that went away before it was answered; LiteLLM uses it too.
CLIENT_GONE: Final = 499


def status_code(error: BaseException) -> int | None:
    """Give the HTTP status of an exception, whether it calls it ``status_code`` or ``code``."""
    for attribute in ("status_code", "code"):
        value = getattr(error, attribute, None)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and 100 <= value <= 599:
            return value
    return None


def origin(error: BaseException, *, reached: bool, started: bool = True) -> Origin:
    """Say who caused a failure.

    ``reached`` says that a deployment was called, and ``started`` that the proxy had let the caller in: before that, a
    failure without a status is a key that is missing or wrong.
    """
    status = status_code(error)
    if reached and _speaks_for_provider(error):
        return Origin.CALLER if status in _REQUEST_IS_WRONG else Origin.PROVIDER
    if type(error).__name__ == "BudgetExceededError":
        return Origin.PROXY
    if status is None:
        return Origin.PROXY if started else Origin.CALLER
    return Origin.PROXY if status >= 500 or status == 429 else Origin.CALLER


def failure(error: BaseException, *, request: Mapping[str, Any], reached: bool, started: bool = True) -> dict[str, Any]:
    """Give the fields of a `Failure`, its message scrubbed."""
    detail = getattr(error, "detail", None)
    message = getattr(error, "message", None) or (detail if isinstance(detail, str) else None)
    text = message if isinstance(message, str) else str(error)
    return {
        "error_class": clip(type(error).__name__, MAX_NAME) or "Exception",
        "status_code": status_code(error),
        "origin": origin(error, reached=reached, started=started),
        "message": scrub(text, prompt=request, secrets=(request.get("api_key"),)),
    }


def _speaks_for_provider(error: BaseException) -> bool:
    return isinstance(error, (TimeoutError, ConnectionError)) or any(
        ancestor.__module__.startswith(_PROVIDER_MODULES) for ancestor in type(error).__mro__
    )
