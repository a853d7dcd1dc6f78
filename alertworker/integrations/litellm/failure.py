"""What went wrong, by cause. Knows LiteLLM's exceptions by name and imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alertworker.events import Origin
from alertworker.events.base import MAX_NAME
from alertworker.integrations.litellm.coerce import clip
from alertworker.integrations.litellm.scrub import prompt_pieces, scrub

#: Classes of LiteLLM that name the caller's own mistake, where the status does not say otherwise (LiteLLM wraps an
#: upstream's 401 as a BadRequestError with status 401).
_CALLERS: Final = frozenset(
    {
        "BadRequestError",
        "BlockedPiiEntityError",
        "BudgetExceededError",
        "ContentPolicyViolationError",
        "ContextWindowExceededError",
        "GuardrailRaisedException",
        "ImageFetchError",
        "InvalidRequestError",
        "RejectedRequestError",
        "UnprocessableEntityError",
        "UnsupportedParamsError",
    }
)
_CALLERS_STATUS: Final = frozenset({None, 400, 413, 415, 422})
#: The proxy's own errors: what they say of the request holds whether or not a deployment was called.
_PROXYS: Final = frozenset({"HTTPException", "ProxyException"})
#: Modules whose exceptions, before a caller was let in, mean that the proxy's own database or cache is away.
_BACKENDS: Final = ("prisma", "httpx", "httpcore", "redis")
#: nginx's status for a client that went away before it was answered; LiteLLM uses it too.
CLIENT_GONE: Final = 499


def origin(error: BaseException, *, attempted: bool, started: bool = True) -> Origin:
    """Say who caused it.

    ``attempted`` says that a deployment was really called, and ``started`` that the proxy had let the caller in: before
    that, an error without a status is a key that is missing or wrong.
    """
    status = status_code(error)
    name = type(error).__name__
    if name.startswith("RouterRateLimit"):
        return Origin.PROXY
    if not attempted or name in _PROXYS:
        if status is None and not started:
            return Origin.PROXY if _is_backends(error) else Origin.CALLER
        return Origin.CALLER if name in _CALLERS or (status is not None and status < 500) else Origin.PROXY
    return Origin.CALLER if name in _CALLERS and status in _CALLERS_STATUS else Origin.PROVIDER


def status_code(error: BaseException) -> int | None:
    """Give the HTTP status an error carries, if it is one; LiteLLM's own error calls it ``code``, a string."""
    for attribute in ("status_code", "code"):
        value = getattr(error, attribute, None)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
    return None


def describe(
    error: BaseException,
    request: Mapping[str, Any],
    *,
    attempted: bool,
    started: bool = True,
    key: object = None,
) -> dict[str, Any]:
    """Give a `Failure`'s fields; ``key`` is the deployment's, to be masked by its value."""
    message = getattr(error, "message", None) or getattr(error, "detail", None)
    text = message if isinstance(message, str) else str(error)
    return {
        "error_class": clip(type(error).__name__, MAX_NAME) or "Exception",
        "status_code": status_code(error),
        "origin": origin(error, attempted=attempted, started=started),
        "message": scrub(text, prompt_pieces(request), secrets=(key,)),
    }


def _is_backends(error: BaseException) -> bool:
    return isinstance(error, OSError) or any(kind.__module__.startswith(_BACKENDS) for kind in type(error).__mro__)
