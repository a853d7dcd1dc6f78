"""What is answered, and why something is refused, in one shape: ``{"error": "…"}``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """A request is not served. ``status`` is the HTTP status, ``retry_after`` the seconds after which it may be."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


async def refused(_request: Request, error: Exception) -> Response:
    """Answer with a refusal's reason."""
    if not isinstance(error, Refusal):
        raise error
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error.reason}, error.status, headers)
