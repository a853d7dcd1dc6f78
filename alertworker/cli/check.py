"""``alertworker check``: print the configuration in force and its sources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypedDict

import click

from alertworker.alerts.catalogue import REPORTS, AlertType, severities_of
from alertworker.cli.output import cell, fixed, free, print_table
from alertworker.errors import AlertWorkerError

if TYPE_CHECKING:
    from alertworker.routing.router import Condition, Router
    from alertworker.settings import Settings

#: Settings that have a table of their own or are derived from others.
_APART: Final = frozenset(
    {
        "alert_types",
        "channels",
        "places",
        "short_places",
        "receivers",
        "selectable",
        "tree",
        "inhibitions",
        "warnings",
        "origins",
    }
)

#: The fewest characters of a key that cannot be guessed within the limit on wrong keys.
MIN_KEY: Final = 16


class _Document(TypedDict):
    """The document that the command prints. Channels stand under their labels, alert types under their names."""

    values: Mapping[str, object]
    origins: Mapping[str, str]
    channels: Mapping[str, str]
    places: Mapping[str, str]
    owner_mail: str | None
    receivers: Mapping[str, Sequence[str]]
    selectable: Sequence[str]
    routes: Mapping[str, Sequence[str]]
    conditions: Mapping[str, Mapping[str, Sequence[Sequence[str]]]]
    pages: Mapping[str, Mapping[str, Sequence[str]]]
    off: Sequence[str]
    warnings: Sequence[str]
    processes: Sequence[str]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Print the settings in force with their sources, the channels, and the alert types that reach or page them.

    Exits with 1 on an error, and prints its file, line, field and remedy. An alert type without a channel is a warning.
    The last lines compare the running processes with this configuration, if the database answers. `doctor` checks the
    broker, the database and the pipeline. Secrets are not printed.
    """
    from alertworker.channels.owner_mail import build_owner_mail
    from alertworker.settings import load_settings

    settings = load_settings()
    values = {name: _shown(settings, name) for name in type(settings).model_fields if name not in _APART}
    router, owners, label = settings.router(), build_owner_mail(settings.channels), settings.channel_labels.of
    reachable = {
        alert_type.value: {label(name): found for name, found in router.possible_if(alert_type).items()}
        for alert_type in AlertType
        if alert_type in settings.alert_types
    }
    routes = {alert_type: list(channels) for alert_type, channels in reachable.items()}
    document: _Document = {
        "values": values,
        "origins": settings.origins,
        "channels": {label(config.name): config.kind for config in settings.channels},
        "places": {label(name): place for name, place in settings.places.items()},
        "owner_mail": label(owners.name) if owners is not None else None,
        "receivers": {name: list(map(label, channels)) for name, channels in settings.receivers.items()},
        "selectable": sorted(settings.selectable),
        "routes": routes,
        "conditions": {alert_type: _conditions(channels) for alert_type, channels in reachable.items()},
        "pages": _pages(settings),
        "off": [alert_type.value for alert_type in AlertType if alert_type not in settings.alert_types],
        "warnings": _warnings(settings, routes),
        "processes": _running(settings, now=datetime.now(UTC)),
    }
    if as_json:
        click.echo(json.dumps(document))
    else:
        _print(document)


def _warnings(settings: Settings, routes: dict[str, list[str]]) -> list[str]:
    unreached = _unreached(routes) if settings.channels else ()  # without a channel there is a warning already
    return [*settings.warnings, *unreached, *_short_keys(settings)]


def _running(settings: Settings, *, now: datetime) -> list[str]:
    """Return how the running processes differ from these settings, or why that is not known."""
    from alertworker.app import build_admin_store
    from alertworker.host.paths import data_dir, database_path
    from alertworker.settings.published import compare

    if settings.database_url is None and not database_path(data_dir()).exists():
        return ["no process has run with this data folder yet"]
    try:
        running = build_admin_store().processes.running(now=now)
    except AlertWorkerError as error:
        return [f"the configuration of the running processes is not known: {error}"]
    return [f"{one.about}: {one.text}" for one in compare(settings, running)]


def _conditions(channels: Mapping[str, Sequence[Condition]]) -> dict[str, list[list[str]]]:
    """Return, for each channel that not all alerts of a type reach, the lists of matchers that lead to it."""
    return {
        name: [[str(matcher) for matcher in condition] for condition in conditions]
        for name, conditions in channels.items()
        if () not in conditions
    }


def _pages(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """Return for each channel that pages which alert types it can get, each with the severities."""
    from alertworker.channels import CHANNELS

    router, labels = settings.router(), settings.channel_labels
    pages: dict[str, dict[str, list[str]]] = {}
    for config in settings.channels:
        if CHANNELS[config.kind].is_pager:
            found = {
                alert_type.value: _severities(router, alert_type, config.name)
                for alert_type in AlertType
                if alert_type not in REPORTS
            }
            pages[labels.of(config.name)] = {
                alert_type: severities for alert_type, severities in found.items() if severities
            }
    return pages


def _severities(router: Router, alert_type: AlertType, channel: str) -> list[str]:
    return [
        one.value for one in severities_of(alert_type) if channel in router.reachable(alert_type, severity=one.value)
    ]


def _unreached(routes: dict[str, list[str]]) -> list[str]:
    """Return one warning about all alert types that reach no channel."""
    unreached = [alert_type for alert_type, names in routes.items() if not names]
    return [f"these alert types reach no channel: {', '.join(unreached)}"] if unreached else []


def _short_keys(settings: Settings) -> Iterator[str]:
    """Yield a warning for each key that can be guessed."""
    for key, name, default in (
        (settings.api_key, "api_key", "general_settings.master_key"),
        (settings.publish_key, "publish_key", ""),
    ):
        if key is not None and len(key.get_secret_value()) < MIN_KEY:
            place = settings.origins.get(name, default)
            yield f"{place}: the key has fewer than {MIN_KEY} characters, so it can be guessed; use a random one"


def _shown(settings: Settings, name: str) -> object:
    """Return a value for printing, or "set" for a secret."""
    from pydantic import SecretStr

    value = getattr(settings, name)
    if name in ("broker_url", "database_url"):
        return "set" if value else "embedded"
    if isinstance(value, SecretStr):
        return "set"
    return settings.model_dump(mode="json", include={name})[name]


def _print(document: _Document) -> None:
    settings = [
        (name, document["origins"].get(setting, "default"), shown)
        for setting, value in document["values"].items()
        for name, shown in _values(setting, value)
    ]
    print_table([fixed("setting"), fixed("from"), free("value")], settings, title="In force")
    click.echo()
    receivers = document["receivers"].items()
    channels = [
        (
            channel,
            kind,
            document["places"].get(channel, "default"),
            ", ".join(receiver for receiver, names in receivers if channel in names),
        )
        for channel, kind in document["channels"].items()
    ]
    print_table([fixed("channel"), fixed("kind"), free("from"), free("receivers")], channels, title="Channels")
    if document["owner_mail"] is not None:
        click.echo(f"Owners of budgets are notified by {document['owner_mail']}.")
    click.echo()
    routes = [
        (alert_type, "; ".join(_routed(name, document["conditions"][alert_type].get(name)) for name in names) or "none")
        for alert_type, names in document["routes"].items()
    ]
    print_table([fixed("alert type"), free("channels")], routes, title="Routes")
    for channel, types in document["pages"].items():
        click.echo()
        paging = [(alert_type, ", ".join(severities)) for alert_type, severities in types.items()] or [("none", "")]
        print_table([fixed("alert type"), free("severities")], paging, title=f"Pages by {channel}")
    if document["off"]:
        click.echo(f"Off: {', '.join(document['off'])}")
    for warning in document["warnings"]:
        click.echo(f"Warning: {warning}")
    for difference in document["processes"]:
        click.echo(f"Running: {difference}")


def _routed(name: str, conditions: Sequence[Sequence[str]] | None) -> str:
    """Return a channel with the conditions under which alerts reach it.

    >>> _routed("desk", None), _routed("search", [['team="search"'], ['team="ranking"', 'severity="High"']])
    ('desk', 'search if team="search", or team="ranking" and severity="High"')
    """
    if conditions is None:
        return name
    return f"{name} if {', or '.join(' and '.join(condition) for condition in conditions)}"


def _values(setting: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield a setting with its value as in the configuration file, or each key of a mapping with its own.

    >>> list(_values("retry", {"first": 1.0})), list(_values("types", ["a"])), list(_values("budgets", {}))
    ([('retry.first', '1.0')], [('types', '["a"]')], [('budgets', '')])
    """
    if isinstance(value, dict):
        yield from ((f"{setting}.{key}", _value(item)) for key, item in value.items()) if value else ((setting, ""),)
    else:
        yield setting, _value(value)


def _value(value: object) -> str:
    return cell(value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False))
