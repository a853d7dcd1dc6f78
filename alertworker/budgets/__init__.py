"""Budgets, the gateway's and our own: readings, state, projections and alerts. Pure."""
