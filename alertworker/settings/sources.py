"""The sources of values: LiteLLM's config.yaml, our own section in it, and the environment; each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from alertworker.host.secret_files import VariableError, read_variable
from alertworker.settings.file_config import FileConfig, LiteLLMConfig
from alertworker.settings.model import Settings
from alertworker.settings.problems import KeyPath
from alertworker.settings.values import ENVIRONMENT
from alertworker.settings.yaml_files import Section, read_sections

#: Keys that the environment has as ``ALERTWORKER_<KEY>``.
VARIABLES: Final = tuple(name for name, key in Settings.model_fields.items() if ENVIRONMENT in key.metadata)
_REFERENCE: Final = "os.environ/"


@dataclass(frozen=True, slots=True)
class Origin:
    """A key of a section of the file, or a variable of the environment."""

    name: str
    section: Section | None = None

    def at(self, *keys: str | int) -> str:
        """Return the place of the value, or of a value in it, with file and line."""
        return self.name if self.section is None else self.section.where(self.name, *keys)


@dataclass(slots=True)
class Sources:
    """Raw values with their origins, and what is wrong with them."""

    #: Of the file's keys, the values that count.
    values: dict[str, Any] = field(default_factory=dict)
    #: Of the keys that only the environment has.
    keys: dict[str, str] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: LiteLLM's master key as the file has it.
    master_key: object = None
    #: The place of the setting by which LiteLLM logs no messages at all, if it is set.
    messages_off: Origin | None = None
    #: Keys whose values cannot be read, so that nothing can be said about what refers to them.
    broken: frozenset[str] = frozenset()

    def put(self, name: str, value: Any, origin: Origin) -> None:
        """Set a value; the last one counts."""
        self.values[name] = value
        self.origins[name] = origin

    def where(self, *path: str | int) -> str:
        """Return the place of a value of the file, by its key and the keys below."""
        name, *rest = path
        origin = self.origins.get(str(name))
        return str(name) if origin is None else origin.at(*rest)

    def problem(self, path: KeyPath, text: str) -> None:
        """Add what is wrong with a value of the file."""
        self.problems.append(f"{self.where(*path)}: {text}")


def read_file(path: Path, sources: Sources) -> None:
    """Read LiteLLM's keys, then our own section, which overrides them; from the file and what it includes."""
    sections = read_sections(path, sources.problems)
    general, variables = sections.get("general_settings"), sections.get("environment_variables")
    if general is not None and isinstance(general.value, dict):
        sources.master_key = general.value.get("master_key")
    if variables is not None and isinstance(variables.value, dict):
        sources.environ |= {str(name): str(value) for name, value in variables.value.items() if value is not None}
    _litellm(sections.get("litellm_settings"), sources)
    for name, value, origin in _keys(general, sources.problems):
        if name in LiteLLMConfig.model_fields:  # the other keys are for LiteLLM alone
            sources.put(name, value, origin)
    for name, value, origin in _keys(sections.get("alertworker"), sources.problems):
        sources.put(name, value, origin)


def _keys(section: Section | None, problems: list[str]) -> list[tuple[str, Any, Origin]]:
    if section is None or section.value is None:
        return []
    if not isinstance(section.value, dict):
        problems.append(f"{section.where()}: must be a mapping, not {type(section.value).__name__}")
        return []
    return [(str(name), value, Origin(str(name), section)) for name, value in section.value.items()]


def _litellm(section: Section | None, sources: Sources) -> None:
    """Read LiteLLM's keys that we have under other names: the time zone of budgets, and two about messages.

    One of these shows messages if it is written down as false; the other one withholds them.
    """
    if section is None or not isinstance(section.value, dict):
        return
    settings = section.value
    if settings.get("timezone"):
        sources.put("time_zone", settings["timezone"], Origin("timezone", section))
    if settings.get("redact_messages_in_exceptions") is False:
        sources.put("show_messages", value=True, origin=Origin("redact_messages_in_exceptions", section))
    if settings.get("turn_off_message_logging") is True:
        sources.messages_off = Origin("turn_off_message_logging", section)


def read_environ(environ: Mapping[str, str], sources: Sources) -> None:
    """Read the environment, which overrides every file."""
    for name in VARIABLES:
        value, origin = secret(f"ALERTWORKER_{name.upper()}", environ, sources.problems)
        if value is None:
            continue
        if name in FileConfig.model_fields:
            sources.put(name, value, Origin(origin))
        else:
            sources.keys[name] = value
            sources.origins.setdefault(name, Origin(origin))  # that of an unknown key of the file stays for its error
    if sources.messages_off is not None:
        sources.put("show_messages", value=False, origin=sources.messages_off)
    # The process's own environment beats the file's environment_variables, in whichever of its two forms.
    for name in environ:
        sources.environ.pop(name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE", None)
    sources.environ |= environ


def secret(variable: str, environ: Mapping[str, str], problems: list[str]) -> tuple[str | None, str]:
    """Return a variable, or the content of the file that ``<variable>_FILE`` names, and its origin.

    What is wrong with the variable is added to the problems.
    """
    try:
        return read_variable(variable, environ)
    except VariableError as error:
        problems.append(str(error))
        return None, ""


def resolve(text: str, where: str, sources: Sources) -> str | None:
    """Return a string that may be ``os.environ/NAME``; ``None`` and a problem if that variable is not set."""
    if not text.startswith(_REFERENCE):
        return text
    variable = text.removeprefix(_REFERENCE)
    known = len(sources.problems)
    value, _ = secret(variable, sources.environ, sources.problems)
    if value is None and len(sources.problems) == known:
        sources.problems.append(f"{where}: the environment variable {variable} is not set; set it, or remove this line")
    return value
