"""Budgets, the gateway's and our own: readings, what was said of them, projections, and the alerts. Pure."""
