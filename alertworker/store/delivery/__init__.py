"""Lanes, notifications and dead letters in SQL."""
