"""From what is written in the file to what is in force."""

from __future__ import annotations

from collections.abc import Iterable

from alertworker.alerts.catalogue import OURS
from alertworker.channels import ChannelConfig
from alertworker.channels.address_guard import AllowedAddresses
from alertworker.channels.config import refuse
from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.owner_mail import domains
from alertworker.routing.router import reached_receivers
from alertworker.settings.destinations import Destinations
from alertworker.settings.file_config import FileConfig
from alertworker.settings.litellm import compile_litellm
from alertworker.settings.model import Settings
from alertworker.settings.place import Place
from alertworker.settings.routing import compile_routing
from alertworker.settings.sources import Sources, resolve
from alertworker.settings.values import Values


def compile_settings(config: FileConfig, sources: Sources) -> Settings:
    """Return what is in force; what is wrong is added to the problems of the sources."""
    found = compile_litellm(config, sources)
    found.warnings += sources.warnings
    inhibitions = compile_routing(config, sources, found)
    found.warnings += _unreached(found)
    _check_heartbeat(config, sources)
    _check_thresholds(config, found, sources)
    fields: dict[str, object] = {name: getattr(config, name) for name in Values.model_fields}
    if config.alert_types is not None:  # LiteLLM's list cannot name our own types, which stay on
        fields["alert_types"] = frozenset({*config.alert_types, *OURS})
    return Settings(
        **fields,
        api_key=sources.keys.get("api_key") or _master_key(sources),
        publish_key=sources.keys.get("publish_key"),
        proxy_base_url=sources.environ.get("PROXY_BASE_URL"),
        channels=tuple(found.channels.values()),
        places={name: place.without_folder for name, place in found.places.items()},
        short_places={name: place.short for name, place in found.places.items()},
        receivers=found.receivers,
        selectable=frozenset(found.selectable),
        tree=found.route,
        inhibitions=inhibitions,
        warnings=tuple(found.warnings),
        origins={name: str(origin.at()) for name, origin in sources.origins.items()},
    )


def _master_key(sources: Sources) -> str | None:
    """Return LiteLLM's master key. A reference to a variable that is not set here is not a problem."""
    key = sources.master_key
    return resolve(key, Place("master_key"), Sources(environ=sources.environ)) if isinstance(key, str) and key else None


def _check_heartbeat(config: FileConfig, sources: Sources) -> None:
    """Report a URL that no heartbeat could be sent to: the pings fail without a trace at run time."""
    if config.heartbeat_url is None:
        return
    try:
        refuse(config.heartbeat_url.get_secret_value(), AllowedAddresses(config.allowed_networks, config.allowed_hosts))
    except ValueError as error:
        sources.problem(("heartbeat_url",), str(error))


def _check_thresholds(config: FileConfig, found: Destinations, sources: Sources) -> None:
    minor, major = config.alerting_args.minor_outage_alert_threshold, config.alerting_args.major_outage_alert_threshold
    if major < minor:
        found.warnings.append(
            f"{sources.where('alerting_args', 'major_outage_alert_threshold')}: {major} is less than "
            f"minor_outage_alert_threshold, which is {minor}; write a value of at least {minor}"
        )


def _unreached(found: Destinations) -> Iterable[str]:
    """Yield a warning for each channel that no route leads to: a tree of our own replaces that of LiteLLM's keys."""
    receivers = reached_receivers(found.route) | found.selectable
    reached = {name for receiver in receivers for name in found.receivers.get(receiver, ())}
    for channel in found.channels.values():
        if channel.name in reached or channel.kind == "console" or _writes_to_owners(channel):
            continue
        names = " or ".join(name for name, channels in found.receivers.items() if channel.name in channels)
        if names:
            remedy = f"name its receiver ({names}) there"
        else:
            remedy = "one of your receivers has the name of its receiver; rename yours"
        yield f"{found.places[channel.name]}: no route leads to this channel; {remedy}"


def _writes_to_owners(channel: ChannelConfig) -> bool:
    return isinstance(channel, EmailConfig) and bool(domains(channel))
