"""Celery's side: tasks, settings, and what a worker or beat does beside its tasks."""
