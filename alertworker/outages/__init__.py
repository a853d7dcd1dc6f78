"""Outages of deployments and regions: windows of calls, the verdict on them, and the alert. Pure."""
