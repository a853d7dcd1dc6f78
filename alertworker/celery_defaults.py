"""Celery's settings under the name by which a deployment's ``celeryconfig.py`` imports them."""

from alertworker.worker.celery_config import *  # noqa: F403
