"""Celery: tasks, settings, and the background work of workers and beat."""
