"""Takes typed events from an LLM proxy, and sends the few messages that a person should read.

Importing this package is deliberately cheap: a proxy that only publishes must not load the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

    celery: Celery

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return the Celery application for ``celery -A alertworker``, built on first use."""
    if name == "celery":
        from alertworker.app import celery

        return celery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
