"""``alertworker check``: what is in force, and from where."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from alertworker.alerts import AlertType
from alertworker.settings import Settings, load_settings

_SHOWN = (
    "alerting_threshold",
    "group_interval",
    "time_zone",
    "spend_report_frequency",
    "reports",
    "spend_max_entities",
    "spend_retention_days",
    "alerting_args",
    "budgets",
    "outage_minimum_share",
    "outage_minimum_traffic",
    "alert_type_config",
    "retry",
    "data_dir",
    "proxy_base_url",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def check(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Print what is configured and from where; exits with 1 on an error. Neither broker nor database is asked."""
    settings = load_settings()
    values = settings.model_dump(mode="json", include=set(_SHOWN))
    values["broker_url"] = "set" if settings.broker_url else "embedded"
    values["database_url"] = "set" if settings.database_url else "embedded"
    router, now = settings.router(), datetime.now(UTC)
    routes = {
        kind.value: list(router.decide(kind, {"alert_type": kind.value}, now=now).channels)
        for kind in AlertType
        if kind in settings.alert_types
    }
    warnings = [*settings.warnings, *(f"{kind} goes nowhere" for kind, names in routes.items() if not names)]
    if as_json:
        click.echo(json.dumps({"values": values, "origins": settings.origins, "routes": routes, "warnings": warnings}))
        return
    _print(settings, values, routes, warnings)


def _print(settings: Settings, values: dict[str, Any], routes: dict[str, list[str]], warnings: list[str]) -> None:
    console = Console()
    table = Table("setting", Column("value", overflow="fold"), "from", title="In force")
    for name, value in values.items():
        shown = "\n".join(f"{key}: {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, shown, settings.origins.get(name, "default"))
    console.print(table)
    table = Table("alert type", "channels", title="Routes")
    for kind, names in routes.items():
        table.add_row(kind, ", ".join(names) or "nobody")
    console.print(table)
    for warning in warnings:
        console.print(f"Warning: {warning}", markup=False)
