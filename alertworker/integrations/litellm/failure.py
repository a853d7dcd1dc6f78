"""Classifies an error by its cause. Knows LiteLLM's exceptions by name and imports none of them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, Final

from alertworker.events import Origin
from alertworker.events.base import MAX_NAME
from alertworker.integrations.litellm.coerce import clip
from alertworker.integrations.litellm.prompts import is_unseen, prompt_pieces
from alertworker.integrations.litellm.scrub import scrub

#: LiteLLM's classes for an error of the caller, if the status does not contradict it. (LiteLLM wraps an upstream's 401
#: as a BadRequestError with status 401.)
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
#: The proxy's own errors. Their status describes the request, whether or not a deployment was called.
_PROXYS: Final = frozenset({"HTTPException", "ProxyException"})
#: Modules whose exceptions mean that the proxy's own database or cache is down, if they are raised before
#: authentication.
_BACKENDS: Final = ("prisma", "httpx", "httpcore", "redis")
#: Errors of the proxy's own code or installation, such as a callback that cannot be imported. No request causes them.
_BROKEN: Final = (ImportError, NameError, SyntaxError)
#: Errors of code, if the proxy's hooks raise them. LiteLLM's own code may raise them because of an odd request, so that
#: an anonymous client could cause them.
_HOOKS: Final = (AttributeError, LookupError, TypeError)
#: Packages whose code runs before authentication and reads what the client sent.
_SERVER: Final = frozenset({"alertworker", "fastapi", "litellm", "starlette", "uvicorn"})
#: Directories of installed packages.
_INSTALLED: Final = frozenset({"dist-packages", "site-packages"})
#: Statuses by which a provider refuses an API key.
_REFUSED_KEY: Final = frozenset({401, 403})
#: The attributes of LiteLLM's errors that hold a model's answer. Their messages repeat it.
_ANSWERS: Final = ("raw_response", "generated_content", "original_response")
#: nginx's status for a client that disconnected before the answer. LiteLLM uses it, too.
CLIENT_GONE: Final = 499


def origin(error: BaseException, *, attempted: bool, started: bool = True) -> Origin:
    """Return which side caused an error.

    ``attempted`` is true if a deployment was called. ``started`` is true if the proxy had authenticated the caller.
    Before that, an error without a status means a missing or invalid key, unless the proxy itself or one of its hooks
    is broken.
    """
    status = status_code(error)
    name = type(error).__name__
    if name.startswith("RouterRateLimit"):
        return Origin.PROXY
    if not attempted or name in _PROXYS:
        if status is None and not started:
            is_proxys = isinstance(error, _BROKEN) or _is_backends(error) or _is_hooks(error)
            return Origin.PROXY if is_proxys else Origin.CALLER
        return Origin.CALLER if name in _CALLERS or (status is not None and status < 500) else Origin.PROXY
    return Origin.CALLER if name in _CALLERS and status in _CALLERS_STATUS else Origin.PROVIDER


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status of an error, or ``None``. LiteLLM's own error has it as a string in ``code``."""
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
    call_type: object = None,
) -> dict[str, Any]:
    """Return a `Failure`'s fields.

    ``key`` is the deployment's API key, which is masked by its value. ``call_type`` is LiteLLM's type of the call.
    """
    message = getattr(error, "message", None) or getattr(error, "detail", None)
    text = message if isinstance(message, str) else str(error)
    unseen = is_unseen(request, call_type or request.get("call_type"))
    answers = (value for name in _ANSWERS if isinstance(value := getattr(error, name, None), str))
    return {
        "error_class": clip(type(error).__name__, MAX_NAME) or "Exception",
        "status_code": status_code(error),
        "origin": origin(error, attempted=attempted, started=started),
        "message": scrub(text, chain(prompt_pieces(request), answers), secrets=(key,), unseen=unseen),
    }


def blame_client(failure: dict[str, Any]) -> None:
    """Correct the origin of a `Failure`'s fields, if the provider refused an API key that the client brought."""
    if failure["origin"] is Origin.PROVIDER and failure["status_code"] in _REFUSED_KEY:
        failure["origin"] = Origin.CALLER


def _is_hooks(error: BaseException) -> bool:
    """Return whether the code of a hook, such as a custom authentication, is broken.

    The innermost frame of the server or of a hook decides. Libraries that they call do not count.
    """
    if not isinstance(error, _HOOKS):
        return False
    places = [(_package(frame), frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__)]
    callers = [package for package, file in places if package in _SERVER or not _is_library(package, file)]
    return bool(callers) and callers[-1] not in _SERVER


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_library(package: str, file: str) -> bool:
    return package in sys.stdlib_module_names or not _INSTALLED.isdisjoint(Path(file).parts)


def _is_backends(error: BaseException) -> bool:
    return isinstance(error, OSError) or any(cls.__module__.startswith(_BACKENDS) for cls in type(error).__mro__)
