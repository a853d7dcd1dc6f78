"""The base of every error this project raises on purpose."""

from __future__ import annotations


class AlertWorkerError(Exception):
    """Something alertworker reports about itself; its text is safe to show (no secret, no prompt)."""


class StoreUnavailable(AlertWorkerError):
    """The database cannot be asked now. Nothing was decided; ask again later."""


class BatchRefused(AlertWorkerError):
    """Who takes batches will never take this one; sending it again is of no use."""


class LineUnavailable(AlertWorkerError):
    """The broker cannot be reached now. Nothing was promised; send again later."""
