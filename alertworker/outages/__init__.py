"""Outages of deployments, regions, providers and models: windows of calls, the verdict on them, and the alert. Pure."""
