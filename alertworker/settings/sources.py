"""The sources of values: LiteLLM's config.yaml, our own section in it, and the environment; each with its origin."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from alertworker.host.secret_files import VariableError, is_service_variable, read_variable
from alertworker.integrations.litellm.options import REFERENCE, flag, hides
from alertworker.settings.file_config import FileConfig, LiteLLMConfig
from alertworker.settings.place import Place, Problem
from alertworker.settings.problems import KeyPath
from alertworker.settings.top_level import misplaced
from alertworker.settings.variables import KEYS, VARIABLES
from alertworker.settings.yaml_files import YamlSection, read_sections

#: LiteLLM's variable for the default of ``alerting_args.daily_report_frequency``.
_DAILY: Final = "SLACK_DAILY_REPORT_FREQUENCY"
#: LiteLLM's variable that a service of the name smtp would have, too.
_MAIL_PORTS: Final = frozenset({"SMTP_PORT"})
#: LiteLLM's sections with keys that we read.
_LITELLMS: Final = frozenset({"general_settings", "litellm_settings"})


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """A key of a section of the file, or a variable of the environment."""

    name: str
    section: YamlSection | None = None

    def at(self, *keys: str | int) -> Place:
        """Return the place of the value, or of a value in it, with file and line."""
        return Place(self.name) if self.section is None else self.section.where(self.name, *keys)


@dataclass(slots=True)
class Sources:
    """Raw values with their origins, and what is wrong with them."""

    #: Of the file's keys, the values that count.
    values: dict[str, Any] = field(default_factory=dict)
    #: The values of keys that only the environment has.
    keys: dict[str, str] = field(default_factory=dict)
    origins: dict[str, KeyOrigin] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: The variables that the file sets, with their places.
    variables: dict[str, KeyOrigin] = field(default_factory=dict)
    #: Those of `variables` whose value refers to a variable that is not set.
    unset: dict[str, str] = field(default_factory=dict)
    #: LiteLLM's master key as the file has it.
    master_key: object = None
    #: The place of the setting by which LiteLLM logs no messages at all, if it is set.
    messages_off: KeyOrigin | None = None
    #: Keys of ``alerting_args`` that stand in LiteLLM's section alone, although ours has that key, too.
    inherited: dict[str, KeyOrigin] = field(default_factory=dict)
    #: Keys whose values cannot be read, so that nothing can be said about what refers to them.
    broken: frozenset[str] = frozenset()

    def put(self, name: str, value: object, origin: KeyOrigin) -> None:
        """Set a value; the last one counts."""
        self.values[name] = value
        self.origins[name] = origin

    def where(self, *path: str | int) -> Place:
        """Return the place of a value of the file, by its key and the keys below."""
        name, *rest = path
        origin = self.origins.get(str(name))
        if name == "alerting_args" and rest:
            origin = self.inherited.get(str(rest[0]), origin)
        return Place(str(name)) if origin is None else origin.at(*rest)

    def problem(self, path: KeyPath, text: str) -> None:
        """Add what is wrong with a value of the file."""
        self.problems.append(Problem(text, self.where(*path)))

    def warn(self, path: KeyPath, text: str) -> None:
        """Add a warning about a value of the file."""
        self.warnings.append(f"{self.where(*path)}: {text}")

    def is_from_litellm(self, key: str) -> bool:
        """Return whether the value of a key that counts stands in a section of LiteLLM's."""
        origin = self.origins.get(key)
        section = origin.section if origin is not None and key in self.values else None
        return section is not None and section.name in _LITELLMS

    def read_variable(self, name: str) -> tuple[str | None, Place]:
        """Return a variable that the file or the environment sets, and its origin.

        If the file sets it to a variable that is not set, ``None``, and this is added to the problems.
        """
        value, source = secret(name, self.environ, self.problems)
        place = self.variables.get(name)
        if name in self.unset and place is not None:
            self.problems.append(_unset(place.at(), self.unset[name]))
        return value, place.at() if place is not None and value is not None else source


def read_file(path: Path, sources: Sources, environ: Mapping[str, str]) -> None:
    """Read LiteLLM's keys, then our own section, which overrides them; from the file and what it includes.

    ``environ`` has the variables that two flags of LiteLLM may refer to.
    """
    sections = read_sections(path, sources.problems, sources.warnings)
    general, variables = sections.get("general_settings"), sections.get("environment_variables")
    if general is not None and isinstance(general.value, dict):
        sources.master_key = general.value.get("master_key")
    if variables is not None and isinstance(variables.value, dict):
        values = {str(name): str(value) for name, value in variables.value.items() if value is not None}
        sources.environ |= values
        sources.variables |= {name: KeyOrigin(name, variables) for name in values}
    _litellm(sections.get("litellm_settings"), sources, {**environ, **sources.environ}.get)
    for name, value, origin in _keys(general, sources.problems):
        if name in LiteLLMConfig.model_fields:
            sources.put(name, value, origin)
        elif close := difflib.get_close_matches(name, LiteLLMConfig.model_fields, n=1, cutoff=0.85):
            sources.warnings.append(f"{origin.at()}: this key is not read; did you mean {close[0]}?")
    for name, value, origin in _keys(sections.get("alertworker"), sources.problems):
        sources.put(name, _all_args(value, sources) if name == "alerting_args" else value, origin)
    sources.warnings += misplaced(sections.values())


def _all_args(ours: object, sources: Sources) -> object:
    """Return our ``alerting_args``, with the keys that only LiteLLM's section has. Keep the origin of these keys."""
    theirs = sources.values.get("alerting_args")
    if not isinstance(theirs, dict) or not (ours is None or isinstance(ours, dict)):
        return ours
    written = {name: value for name, value in (ours or {}).items() if value is not None}
    sources.inherited = {str(name): sources.origins["alerting_args"] for name in theirs if name not in written}
    return {**theirs, **written}


def _keys(section: YamlSection | None, problems: list[Problem]) -> list[tuple[str, object, KeyOrigin]]:
    if section is None or section.value is None:
        return []
    if not isinstance(section.value, dict):
        problems.append(Problem(f"must be a mapping, not {type(section.value).__name__}", section.where()))
        return []
    return [(str(name), value, KeyOrigin(str(name), section)) for name, value in section.value.items()]


def _litellm(section: YamlSection | None, sources: Sources, read: Callable[[str], str | None]) -> None:
    """Read LiteLLM's keys that we have under other names: the time zone of budgets, and two about messages.

    The first shows messages if it is set to false. The second hides them.
    """
    if section is None or not isinstance(section.value, dict):
        return
    settings = section.value
    if settings.get("timezone"):
        sources.put("time_zone", settings["timezone"], KeyOrigin("timezone", section))
    if flag(settings.get("redact_messages_in_exceptions"), read) is False:
        sources.put("show_messages", value=True, origin=KeyOrigin("redact_messages_in_exceptions", section))
    if hides(settings.get("turn_off_message_logging"), read):
        sources.messages_off = KeyOrigin("turn_off_message_logging", section)


def read_environ(environ: Mapping[str, str], sources: Sources) -> None:
    """Read the environment, which overrides every file."""
    for name in KEYS:
        value, source = secret(f"ALERTWORKER_{name.upper()}", environ, sources.problems)
        if value is None:
            continue
        origin = KeyOrigin(str(source))
        if name in FileConfig.model_fields:
            sources.put(name, value, origin)
        else:
            sources.keys[name] = value
            sources.origins.setdefault(name, origin)  # that of an unknown key of the file stays for its error
    if sources.messages_off is not None:
        sources.put("show_messages", value=False, origin=sources.messages_off)
    sources.environ = _merged(sources, environ)
    _daily_reports(sources)
    sources.warnings += _misspelt(environ)


def _daily_reports(sources: Sources) -> None:
    """Read LiteLLM's variable, which counts if ``alerting_args`` does not have the key."""
    value, origin = sources.read_variable(_DAILY)
    args = sources.values.get("alerting_args") or {}
    if value is not None and isinstance(args, dict) and args.get("daily_report_frequency") is None:
        sources.values["alerting_args"] = {**args, "daily_report_frequency": value}
        sources.origins.setdefault("alerting_args", KeyOrigin(str(origin)))


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each ``ALERTWORKER_`` variable whose name is close to one that we read.

    Kubernetes sets such variables for a service that is called alertworker, so they are not spelling mistakes.
    """
    known = {name for name in VARIABLES if name.startswith("ALERTWORKER_")}
    known |= {f"{name}_FILE" for name in known}
    for name, value in environ.items():
        if is_service_variable(name, value):
            if name in known or name in _MAIL_PORTS:
                yield f"environment {name}: is ignored, because Kubernetes set it; set enableServiceLinks: false"
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.85) if name.startswith("ALERTWORKER_") else []
        if close and name not in known:
            yield f"environment {name}: this variable is not read; did you mean {close[0]}?"


def _merged(sources: Sources, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the file's ``environment_variables``, which override it, as in LiteLLM.

    A value can be a reference to a variable of the environment, also to the one of the same name. A variable replaces
    both of its forms in the environment: the value, and the file of ``<variable>_FILE``.
    """
    merged = dict(environ)
    for name, written in sources.environ.items():
        value: str | None = written
        if written.startswith(REFERENCE):
            referred = written.removeprefix(REFERENCE)
            value, _ = secret(referred, environ, sources.problems)
            if value is None:
                sources.unset[name] = referred
        base = name.removesuffix("_FILE")
        merged.pop(base, None)
        merged.pop(f"{base}_FILE", None)
        if value is not None:
            merged[name] = value
    return merged


def secret(variable: str, environ: Mapping[str, str], problems: list[Problem]) -> tuple[str | None, Place]:
    """Return a variable, or the content of the file that ``<variable>_FILE`` names, and its place.

    Errors of the variable are added to the problems.
    """
    try:
        found = read_variable(variable, environ)
    except VariableError as error:
        problems.append(Problem(str(error)))
        return None, Place()
    return found.value, Place(found.source, variable=found.name)


def resolve(text: str, where: Place, sources: Sources) -> str | None:
    """Return a string that may be ``os.environ/NAME``; ``None`` and a problem if that variable is not set."""
    if not text.startswith(REFERENCE):
        return text
    variable = text.removeprefix(REFERENCE)
    known = len(sources.problems)
    value, _ = sources.read_variable(variable)
    if value is None and len(sources.problems) == known:
        sources.problems.append(_unset(where, variable))
    return value


def _unset(where: Place, variable: str) -> Problem:
    return Problem(f"the environment variable {variable} is not set; set it, or remove this line", where)
