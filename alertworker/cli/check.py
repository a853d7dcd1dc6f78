"""``alertworker check``: what is in force, and from where."""

from __future__ import annotations

import json
from typing import Any, Final

import click
from pydantic import SecretStr
from rich.console import Console
from rich.table import Column, Table

from alertworker.alerts.catalogue import AlertType
from alertworker.channels.owner_mail import build_owner_mail
from alertworker.settings import Settings, load_settings

#: What is printed in tables of its own, or is made of the rest.
_APART: Final = frozenset({"alert_types", "channels", "receivers", "tree", "inhibitions", "warnings", "origins"})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def check(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Print what is in force and from where: settings, channels, and where each alert type can go.

    Exits with 1 on an error, which is named with file, line, field and remedy. A type that goes nowhere is a warning.
    Neither broker nor database is asked; `doctor` asks them. Secrets are not printed.
    """
    settings = load_settings()
    values = {name: _shown(settings, name) for name in Settings.model_fields if name not in _APART}
    router, owners = settings.router(), build_owner_mail(settings.channels)
    routes = {kind.value: list(router.reachable(kind)) for kind in AlertType if kind in settings.alert_types}
    said = {
        "values": values,
        "origins": settings.origins,
        "channels": {config.name: config.kind for config in settings.channels},
        "owner_mail": owners.name if owners is not None else None,
        "receivers": {name: list(channels) for name, channels in settings.receivers.items()},
        "routes": routes,
        "off": [kind.value for kind in AlertType if kind not in settings.alert_types],
        "warnings": [*settings.warnings, *(f"{kind} goes nowhere" for kind, names in routes.items() if not names)],
    }
    if as_json:
        click.echo(json.dumps(said))
    else:
        _print(said)


def _shown(settings: Settings, name: str) -> Any:
    """Give a value; of a secret only whether it is set, and of what is embedded that it is so."""
    value = getattr(settings, name)
    if name in ("broker_url", "database_url"):
        return "set" if value else "embedded"
    if isinstance(value, SecretStr):
        return "set"
    return settings.model_dump(mode="json", include={name})[name]


def _print(said: dict[str, Any]) -> None:
    console = Console()
    table = Table("setting", Column("value", overflow="fold"), "from", title="In force")
    for name, value in said["values"].items():
        shown = "\n".join(f"{key}: {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, shown, said["origins"].get(name, "default"))
    console.print(table)
    table = Table("channel", "kind", "receivers", title="Channels")
    for name, kind in said["channels"].items():
        table.add_row(name, kind, ", ".join(one for one, names in said["receivers"].items() if name in names))
    console.print(table)
    if said["owner_mail"] is not None:
        console.print(f"Owners of budgets are told by {said['owner_mail']}.")
    table = Table("alert type", "channels", title="Routes")
    for kind, names in said["routes"].items():
        table.add_row(kind, ", ".join(names) or "nobody")
    console.print(table)
    if said["off"]:
        console.print(f"Off: {', '.join(said['off'])}")
    for warning in said["warnings"]:
        console.print(f"Warning: {warning}", markup=False)
