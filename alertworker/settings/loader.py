"""Settings from the file and the environment: read, validated and compiled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from alertworker.errors import AlertWorkerError
from alertworker.settings.compile import compile_settings
from alertworker.settings.file_config import FileConfig
from alertworker.settings.litellm_values import adapt, drop_unknown
from alertworker.settings.model import Settings
from alertworker.settings.problems import KeyPath, read_errors
from alertworker.settings.sources import Sources, read_environ, read_file, resolve
from alertworker.settings.values import AllowedAddressKeys
from alertworker.text.ids import storable, unstorable

_DEFAULT_FILES: Final = ("alertworker.yaml", "config.yaml")


class ConfigurationError(AlertWorkerError):
    """The configuration cannot work. The error names every place, what is wrong there and what to do."""


def load_settings(*, environ: Mapping[str, str] = os.environ, config: Path | None = None) -> Settings:
    """Read the file and the environment.

    Raises:
        ConfigurationError: all problems at once, one a line, by file and line; it never repeats a secret.
    """
    sources = Sources()
    path = config or _file(environ)
    if path is not None:
        read_file(path, sources, environ)
    read_environ(environ, sources)
    settings = compile_settings(_read_config(sources), sources)
    if sources.problems:
        raise ConfigurationError("\n".join(dict.fromkeys(map(str, sorted(sources.problems, key=attrgetter("order"))))))
    return settings


def _file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("ALERTWORKER_CONFIG"):
        return Path(named)
    return next((Path(name) for name in _DEFAULT_FILES if Path(name).is_file()), None)


def _read_config(sources: Sources) -> FileConfig:
    """Return what is written, without the keys whose values are invalid: these are added to the problems."""
    values, unset = sources.values, set[KeyPath]()
    alerting = values.get("alerting")
    if isinstance(alerting, list | str) and "slack" not in alerting:
        values.pop("alert_to_webhook_url", None)  # LiteLLM does not read it either
    drop_unknown(sources)
    for key in list(values):
        value = values.pop(key)
        values[_storable(key, (key,), sources)] = _resolved(value, (key,), sources, unset)
    adapt(sources)
    allowed = _allowed(values)
    try:
        return FileConfig.model_validate(values, context=allowed)
    except ValidationError as error:
        for path, text in read_errors(error, FileConfig, values).items():
            if not any(one[: len(path)] == path for one in unset):
                sources.problem(path, text)
        sources.broken = frozenset(str(one["loc"][0]) for one in error.errors())
    whole = {key: value for key, value in values.items() if key not in sources.broken}
    return FileConfig.model_validate(whole, context=allowed)


def _allowed(values: Mapping[str, object]) -> dict[str, object]:
    """Return the private networks and hosts that every channel can connect to; none if they are invalid."""
    try:
        return AllowedAddressKeys.model_validate(
            {key: values.get(key) for key in AllowedAddressKeys.model_fields}
        ).allowed()
    except ValidationError:
        return {}


def _resolved(value: object, path: KeyPath, sources: Sources, unset: set[KeyPath]) -> object:
    """Return a value with its references resolved; ``unset`` gets the paths of those to variables that are not set.

    A string that no database stores is a problem: a channel with such a name would stop every sweep.
    """
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            name = _storable(key, (*path, key), sources) if isinstance(key, str) else key
            found[name] = _resolved(item, (*path, key), sources, unset)
        return found
    if isinstance(value, list):
        return [_resolved(item, (*path, index), sources, unset) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    resolved = resolve(_storable(value, path, sources), sources.where(*path), sources)
    if resolved is None:
        unset.add(path)
    return resolved


def _storable(text: str, path: KeyPath, sources: Sources) -> str:
    """Return the string; if no database stores it, add that to the problems."""
    problem = unstorable(text)
    if problem is not None:
        sources.problem(path, problem)
        return storable(text)
    return text
