"""Outages of deployments and regions: windows of attempts, the verdict on them, and the alert. Pure."""
