"""Typed events from an LLM proxy in, the few messages a person should read out.

Importing this package is cheap on purpose: a proxy that only publishes must not load the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery

    celery: Celery

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Give ``celery -A alertworker`` its application, built on first use."""
    if name == "celery":
        from alertworker.app import celery

        return celery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
