"""The base of every error this project raises on purpose."""

from __future__ import annotations


class AlertWorkerError(Exception):
    """Something alertworker reports about itself; its text is safe to show (no secret, no prompt)."""
