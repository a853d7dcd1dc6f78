"""From sources to settings: validation, and the compilation of LiteLLM's words into channels and routes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alertworker.alerts.catalogue import OURS, AlertType
from alertworker.channels import KINDS, ChannelConfig, EmailConfig
from alertworker.channels.config import NetworkConfig
from alertworker.channels.owner_mail import domains
from alertworker.errors import AlertWorkerError
from alertworker.host.addresses import BROKER_SCHEMES, DATABASE_SCHEMES, address_problem
from alertworker.routing.router import reached_receivers
from alertworker.settings.litellm import Destinations, compile_litellm, resolve
from alertworker.settings.model import AlertingArgs, Settings
from alertworker.settings.routing import compile_own
from alertworker.settings.sources import COMPILED, Sources, nearest, read_environ, read_file

_DEFAULT_FILES: Final = ("alertworker.yaml", "config.yaml")


class ConfigurationError(AlertWorkerError):
    """What is configured cannot work; names every field, what is wrong with it and what to do."""


def load_settings(*, environ: Mapping[str, str] = os.environ, config: Path | None = None) -> Settings:
    """Read the file and the environment.

    Raises:
        ConfigurationError: with all problems at once, one a line; it never repeats a secret.
    """
    sources = Sources()
    path = config or _file(environ)
    if path is not None:
        read_file(path, sources)
    read_environ(environ, sources)
    fields = {name: value for name, value in sources.values.items() if name not in COMPILED}
    fields["alert_types"] = _types(sources)
    fields.setdefault("api_key", _master_key(sources))
    fields["proxy_base_url"] = sources.environ.get("PROXY_BASE_URL")
    _check_addresses(sources)
    found = compile_litellm(sources)
    found.warnings += _misspelt(sources)
    fields["inhibitions"] = compile_own(sources, found)
    fields["channels"] = _channels(found, sources)
    found.warnings += _unreached(found, fields["channels"])
    fields |= {"receivers": found.receivers, "tree": found.route, "warnings": found.warnings}
    return _validated({name: value for name, value in fields.items() if value is not None}, sources)


def _channels(found: Destinations, sources: Sources) -> list[ChannelConfig]:
    channels = []
    ours = {name: sources.values.get(name) or () for name in ("allowed_networks", "allowed_hosts")}
    for name, raw in found.channels.items():
        config = KINDS[raw["kind"]]
        try:
            channels.append(config.model_validate(ours | raw if issubclass(config, NetworkConfig) else raw))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False, include_context=False):
                where = ".".join(str(part) for part in problem["loc"])
                sources.problems.append(f"channel {name}: {where}: {_wrong(problem, config)}")
    return channels


def _unreached(found: Destinations, channels: list[ChannelConfig]) -> list[str]:
    """Warn of channels that the tree never leads to: one of our own leaves out whatever LiteLLM's words had."""
    reached = {name for receiver in reached_receivers(found.route) for name in found.receivers.get(receiver, ())}
    warnings = []
    for channel in channels:
        writes_to_owners = isinstance(channel, EmailConfig) and domains(channel)
        if channel.name in reached or channel.kind == "console" or writes_to_owners:
            continue
        receivers = " or ".join(name for name, names in found.receivers.items() if channel.name in names)
        if receivers:
            remedy = f"name its receiver ({receivers}) there, or as alert_receiver in a team's or key's metadata"
        else:
            remedy = "a receiver of yours has taken its receiver's name; rename yours"
        warnings.append(f"channel {channel.name}: no route leads to it; {remedy}")
    return warnings


def _master_key(sources: Sources) -> str | None:
    """Give LiteLLM's master key; one that is not set here is no problem of ours."""
    key = sources.master_key
    return resolve(key, "master_key", Sources(environ=sources.environ)) if isinstance(key, str) and key else None


def _file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("ALERTWORKER_CONFIG"):
        return Path(named)
    return next((Path(name) for name in _DEFAULT_FILES if Path(name).is_file()), None)


def _types(sources: Sources) -> list[str] | None:
    """Give the types that are on; our own, which LiteLLM's list cannot name, stay on."""
    named = sources.values.get("alert_types")
    if named is None:
        return None
    origin = sources.origins["alert_types"]
    if not isinstance(named, list):
        sources.problems.append(f"{origin}: must be a list of alert types, not {type(named).__name__}")
        return None
    known = [kind.value for kind in AlertType]
    for name in named:
        if name not in known:
            sources.problems.append(f"{origin}: {name!r} is no alert type{nearest(str(name), known)}")
    return [*(name for name in named if name in known), *(kind.value for kind in OURS)]


def _check_addresses(sources: Sources) -> None:
    """Note a broker's or database's address that cannot be used, with where it stands and without its password."""
    for name, schemes in (("broker_url", BROKER_SCHEMES), ("database_url", DATABASE_SCHEMES)):
        address = sources.values.get(name)
        if isinstance(address, str):
            address = sources.values[name] = address.strip()
        if isinstance(address, str) and (problem := address_problem(address, schemes)) is not None:
            sources.problems.append(f"{sources.origins[name]}: {problem}")


def _validated(fields: dict[str, Any], sources: Sources) -> Settings:
    try:
        settings = Settings.model_validate(fields | {"origins": sources.origins})
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(problem["loc"][0])
            where = ".".join(str(part) for part in problem["loc"])
            sources.problems.append(f"{sources.origins.get(name, where)}: {where}: {_wrong(problem, Settings)}")
    if sources.problems:
        raise ConfigurationError("\n".join(dict.fromkeys(sources.problems)))
    return settings


def _wrong(problem: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong; a word that nobody knows gets the nearest known one."""
    if problem["type"] != "extra_forbidden":
        return problem["msg"]
    for part in problem["loc"][:-1]:
        if part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation) or model
    return f"unknown setting{nearest(str(problem['loc'][-1]), list(model.model_fields))}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Give the model that a field holds, by itself, in a list or in a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _misspelt(sources: Sources) -> list[str]:
    """Warn of words in LiteLLM's ``alerting_args`` that look like one of ours; all others are LiteLLM's business."""
    given, known = sources.values.get("alerting_args"), list(AlertingArgs.model_fields)
    warnings = []
    for word in given if isinstance(given, Mapping) else ():
        close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.85)
        if close and word not in known:
            warnings.append(f"{sources.origins['alerting_args']}: {word} is not read; did you mean {close[0]}?")
    return warnings
