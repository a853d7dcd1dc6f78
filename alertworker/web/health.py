"""Liveness, readiness and metrics. They need no key and show no secrets."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alertworker.errors import AlertWorkerError
from alertworker.text.format import spell
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal
from alertworker.web.metrics import SnapshotCollector

_log = logging.getLogger(__name__)


async def liveliness(_request: Request) -> Response:
    """Return 200 without any query, so that an unavailable database restarts no process."""
    return JSONResponse("I'm alive!")


async def readiness(request: Request) -> Response:
    """Return the pipeline's lag and the length of the broker's queue, with 503 and the reasons if it is not ready."""
    health = context_of(request).health
    now = datetime.now(UTC)
    queued, snapshot, problem = await asyncio.gather(
        health.queued(now), health.snapshot(now), health.write_problem(now), return_exceptions=True
    )
    reasons = [_reason(answer) for answer in (queued, snapshot) if isinstance(answer, BaseException)]
    lag = oldest = None
    failing: list[str] = []
    if not isinstance(snapshot, BaseException):
        lag, failing = snapshot.canary_seconds, sorted(snapshot.failing)
        if problem is not None:
            reasons.append(_reason(problem) if isinstance(problem, BaseException) else problem)
        if lag is None:
            reasons.append("no canary has returned yet; start a worker and beat")
        elif snapshot.is_stalled:
            waited = spell(timedelta(seconds=lag))
            reasons.append(f"no canary has returned for {waited}; check that a worker and beat are running")
        if not isinstance(queued, BaseException):
            oldest = snapshot.oldest_seconds(queued)
    answer = {
        "status": "not ready" if reasons else "ready",
        "reasons": reasons,
        "lag_seconds": lag,
        "queue_messages": None if isinstance(queued, BaseException) else queued,
        "queue_oldest_seconds": oldest,
        "failing_steps": failing,
    }
    return JSONResponse(answer, 503 if reasons else 200)


async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format. They come from the store, so every process returns the same."""
    context, now = context_of(request), datetime.now(UTC)
    health = context.health
    try:
        snapshot = await health.snapshot(now)
    except AlertWorkerError as error:
        raise Refusal(503, str(error), retry_after=5) from None
    try:
        queued: int | None = await health.queued(now)
    except AlertWorkerError:  # Readiness gives the reason. The store's figures are still useful.
        queued = None
    registry = CollectorRegistry(auto_describe=False)
    snapshot = replace(snapshot, broken=context.broken(snapshot))
    registry.register(SnapshotCollector(snapshot, queued, context.pages.labels))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _reason(error: BaseException) -> str:
    if isinstance(error, AlertWorkerError):
        return str(error)
    _log.error("a health check failed", exc_info=error)
    return f"a health check failed ({type(error).__name__}); see the log"


ROUTES: Final = (
    Route("/health/liveliness", liveliness),
    Route("/health/liveness", liveliness),
    Route("/health/readiness", readiness),
    Route("/metrics", metrics),
)
