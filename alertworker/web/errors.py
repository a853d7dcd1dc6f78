"""Error responses. All have one shape: ``{"error": "…"}``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """A request is refused with HTTP status ``status``. The client may retry it after ``retry_after`` seconds."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


async def refused(_request: Request, error: Exception) -> Response:
    """Return a refusal as JSON."""
    if not isinstance(error, Refusal):
        raise error
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error.reason}, error.status, headers)
