"""Celery's settings for this deployment: the package's defaults, and below them whatever you change.

The worker and beat read this file when it is importable (in the working folder, say), else the defaults alone.
"""

from alertworker.celery_defaults import *  # noqa: F403
