"""From sources to settings: validation, and the compilation of LiteLLM's words into channels and routes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from alertworker.alerts import OURS, AlertType
from alertworker.channels import KINDS, ChannelConfig
from alertworker.channels.config import NetworkConfig
from alertworker.errors import AlertWorkerError
from alertworker.settings.destinations import Destinations, compile_litellm, resolve
from alertworker.settings.model import Settings
from alertworker.settings.routes import compile_own
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
    found = compile_litellm(sources)
    fields["inhibitions"] = compile_own(sources, found)
    fields |= {"receivers": found.receivers, "tree": found.route, "warnings": found.warnings}
    fields["channels"] = _channels(found, sources)
    return _validated({name: value for name, value in fields.items() if value is not None}, sources)


def _channels(found: Destinations, sources: Sources) -> list[ChannelConfig]:
    channels = []
    networks = {"allowed_networks": sources.values.get("allowed_networks") or ()}
    for name, raw in found.channels.items():
        config = KINDS[raw["kind"]]
        try:
            channels.append(config.model_validate(networks | raw if issubclass(config, NetworkConfig) else raw))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False, include_context=False):
                where = ".".join(str(part) for part in problem["loc"])
                sources.problems.append(f"channel {name}: {where}: {problem['msg']}")
    return channels


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


def _validated(fields: dict[str, Any], sources: Sources) -> Settings:
    try:
        settings = Settings.model_validate(fields | {"origins": sources.origins})
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(problem["loc"][0])
            where = ".".join(str(part) for part in problem["loc"])
            sources.problems.append(f"{sources.origins.get(name, where)}: {where}: {problem['msg']}")
    if sources.problems:
        raise ConfigurationError("\n".join(sources.problems))
    return settings
