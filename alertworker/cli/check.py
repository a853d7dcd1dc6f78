"""``alertworker check``: print the configuration in force and its sources."""

from __future__ import annotations

import json
from typing import Any, Final

import click
from pydantic import SecretStr

from alertworker.alerts.catalogue import REPORTS, AlertType, severities_of
from alertworker.channels.owner_mail import build_owner_mail
from alertworker.cli.output import cell, fixed, free, print_table
from alertworker.routing.router import Router
from alertworker.settings import Settings, load_settings

#: Settings that have a table of their own or are derived from others.
_APART: Final = frozenset({"alert_types", "channels", "receivers", "tree", "inhibitions", "warnings", "origins"})

#: Kinds of channels that page a person.
_PAGERS: Final = frozenset({"pagerduty"})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Print the settings in force with their sources, the channels, the channels of each alert type, and what pages.

    Exits with 1 on an error, and prints its file, line, field and remedy. An alert type without a channel is a warning.
    The command uses neither broker nor database; `doctor` checks those. Secrets are not printed.
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
        "pages": _pages(settings),
        "off": [kind.value for kind in AlertType if kind not in settings.alert_types],
        "warnings": [
            *settings.warnings,
            *_unreached(routes),
        ],
    }
    if as_json:
        click.echo(json.dumps(said))
    else:
        _print(said)


def _pages(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """Return for each channel that pages which alert types it can get, each with the severities."""
    router = settings.router()
    pages: dict[str, dict[str, list[str]]] = {}
    for config in settings.channels:
        if config.kind in _PAGERS:
            found = {kind.value: _severities(router, kind, config.name) for kind in AlertType if kind not in REPORTS}
            pages[config.name] = {kind: severities for kind, severities in found.items() if severities}
    return pages


def _severities(router: Router, kind: AlertType, channel: str) -> list[str]:
    return [one.value for one in severities_of(kind) if channel in router.reachable(kind, severity=one.value)]


def _unreached(routes: dict[str, list[str]]) -> list[str]:
    """Return one warning about all alert types that reach no channel."""
    kinds = [kind for kind, names in routes.items() if not names]
    return [f"these alert types reach no channel: {', '.join(kinds)}"] if kinds else []


def _shown(settings: Settings, name: str) -> Any:
    """Return a value for printing, or "set" for a secret."""
    value = getattr(settings, name)
    if name in ("broker_url", "database_url"):
        return "set" if value else "embedded"
    if isinstance(value, SecretStr):
        return "set"
    return settings.model_dump(mode="json", include={name})[name]


def _print(said: dict[str, Any]) -> None:
    settings = [
        (setting, said["origins"].get(setting, "default"), _value(value)) for setting, value in said["values"].items()
    ]
    print_table([fixed("setting"), fixed("from"), free("value")], settings, title="In force")
    click.echo()
    receivers = said["receivers"].items()
    channels = [
        (channel, kind, ", ".join(receiver for receiver, names in receivers if channel in names))
        for channel, kind in said["channels"].items()
    ]
    print_table([fixed("channel"), fixed("kind"), free("receivers")], channels, title="Channels")
    if said["owner_mail"] is not None:
        click.echo(f"Owners of budgets are notified by {said['owner_mail']}.")
    click.echo()
    routes = [(kind, ", ".join(names) or "none") for kind, names in said["routes"].items()]
    print_table([fixed("alert type"), free("channels")], routes, title="Routes")
    for channel, types in said["pages"].items():
        click.echo()
        paging = [(kind, ", ".join(severities)) for kind, severities in types.items()] or [("none", "")]
        print_table([fixed("alert type"), free("severities")], paging, title=f"Pages by {channel}")
    if said["off"]:
        click.echo(f"Off: {', '.join(said['off'])}")
    for warning in said["warnings"]:
        click.echo(f"Warning: {warning}")


def _value(value: object) -> str:
    """Return a setting as text. A mapping has one line for each key."""
    if isinstance(value, dict):
        return "\n".join(cell(f"{key}: {item}") for key, item in value.items())
    return cell(value)
