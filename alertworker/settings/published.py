"""The settings that a process publishes, and the comparison of running processes with a command's settings."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel, SecretStr

from alertworker import __version__
from alertworker.ports.processes import Process
from alertworker.settings.model import Settings

#: Settings that may differ between the processes of one installation, and settings that only name a source.
_APART: Final = frozenset(
    {"data_dir", "http_host", "http_port", "log_format", "places", "short_places", "warnings", "origins"}
)
#: The keys of the file under which people know these settings.
_KEYS: Final = {"tree": "route", "selectable": "receivers"}
#: The roles that an installation needs. A worker of the role "all" has the first two.
_NEEDED: Final = {"ingest": "alertworker worker", "deliver": "alertworker worker", "beat": "alertworker beat"}


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of the process or setting ``about``. With ``loses`` messages are lost until it is corrected."""

    about: str
    text: str
    loses: bool = False


@dataclass(frozen=True, slots=True)
class _Own:
    """The digests of this command's settings, and the labels of its channels by their names."""

    settings: Mapping[str, str]
    labels: Mapping[str, str]


def describe_process(settings: Settings, role: str, *, now: datetime) -> Process:
    """Return this process with its configuration, without secrets."""
    return Process(
        host=socket.gethostname(),
        role=role,
        pid=os.getpid(),
        version=__version__,
        settings=digests(settings),
        channels=_channels(settings),
        started_at=now,
        seen_at=now,
    )


def _channels(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return the kind and the label of each channel, by its name."""
    labels = settings.channel_labels
    return {config.name: (config.kind, labels.of(config.name)) for config in settings.channels}


def digests(settings: Settings) -> dict[str, str]:
    """Return a digest of each public setting, by its name. Equal settings have equal digests on every host."""
    values = {
        name: getattr(settings, name)
        for name, field in Settings.model_fields.items()
        if name not in _APART and "SecretStr" not in str(field.annotation)
    }
    if all(config.kind == "console" for config in settings.channels):
        del values["public_url"]  # `run` sets it for its processes, see `cli/run.py`
    return {
        name: hashlib.sha256(repr(_plain(value)).encode()).hexdigest()[:12] for name, value in sorted(values.items())
    }


def _plain(value: object) -> object:
    """Return a value whose text is the same in every process, without secrets."""
    if isinstance(value, BaseModel):
        named = {name: getattr(value, name) for name in sorted(type(value).model_fields)}
        return {name: _plain(item) for name, item in named.items() if not isinstance(item, SecretStr)}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return sorted((str(key), repr(_plain(item))) for key, item in value.items())
    if isinstance(value, AbstractSet):
        return sorted(repr(_plain(item)) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value if not isinstance(item, SecretStr)]
    return str(value)


def compare(settings: Settings, running: Sequence[Process]) -> Iterator[Difference]:
    """Yield how the running processes differ from these settings and from each other, and which roles are absent."""
    if not running:
        yield Difference("processes", "no running process has published its configuration; start a worker and beat")
        return
    roles = {process.role for process in running}
    for role, command in _NEEDED.items():
        if role not in roles and not ("all" in roles and role != "beat"):
            text = f"none with the role {role} has published its configuration; start `{command}`"
            yield Difference("processes", text)
    own = _Own(digests(settings), {name: label for name, (_, label) in _channels(settings).items()})
    found: dict[tuple[str, str, bool], list[int]] = {}
    for process in running:
        for text, loses in _differences(own, process, running):
            found.setdefault((f"{process.role} on {process.host}", text, loses), []).append(process.pid)
    for (about, text, loses), pids in found.items():
        yield Difference(about, f"pid {', '.join(map(str, pids))}: {text}", loses)


def _differences(own: _Own, process: Process, running: Sequence[Process]) -> Iterator[tuple[str, bool]]:
    if process.version != __version__:
        yield f"runs version {process.version}, and this command is of version {__version__}", False
        return  # versions may differ in their settings
    if parts := [*_channel_differences(own, process), *_setting_differences(own, process)]:
        yield f"{'; '.join(parts)}; restart it, or run this command with its file and environment", False
    if process.role in ("deliver", "all"):
        others = {name: label for other in running for name, (_, label) in other.channels.items()}
        if lost := sorted(label for name, label in others.items() if name not in process.channels):
            yield f"cannot send to {', '.join(lost)}, which another process uses; restart it", True


def _channel_differences(own: _Own, process: Process) -> Iterator[str]:
    more = {label for name, (_, label) in process.channels.items() if name not in own.labels}
    lacking = {label for name, label in own.labels.items() if name not in process.channels}
    if both := more & lacking:
        yield f"has another channel from {', '.join(sorted(both))}"
    if more - lacking:
        yield f"has channels that are not configured here: {', '.join(sorted(more - lacking))}"
    if lacking - more:
        yield f"lacks channels that are configured here: {', '.join(sorted(lacking - more))}"


def _setting_differences(own: _Own, process: Process) -> Iterator[str]:
    names = own.settings.keys() | process.settings.keys()
    changed = {_KEYS.get(name, name) for name in names if own.settings.get(name) != process.settings.get(name)}
    if process.channels.keys() != own.labels.keys():
        changed -= {"channels", "receivers"}  # these name the channels
    if changed:
        yield f"has other settings: {', '.join(sorted(changed))}"
