"""Where values come from: LiteLLM's config.yaml, our own section in it, and the environment; each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from alertworker.variables import VariableError, read_variable

#: LiteLLM's words that we read, and where they stand in its file.
GENERAL: Final = (
    "alerting",
    "alerting_threshold",
    "alert_types",
    "alert_to_webhook_url",
    "alerting_args",
    "alert_type_config",
    "spend_report_frequency",
)
#: What LiteLLM has no word for, or what may be said apart from LiteLLM's own alerting, in the ``alertworker:`` section.
OWN: Final = (
    *GENERAL,
    "allowed_hosts",
    "allowed_networks",
    "broker_url",
    "budget_webhook",
    "budgets",
    "data_dir",
    "database_url",
    "group_interval",
    "heartbeat_interval",
    "heartbeat_url",
    "http_host",
    "http_port",
    "inhibitions",
    "langfuse_host",
    "log_format",
    "metadata_keys",
    "outage_minimum_share",
    "outage_minimum_traffic",
    "public_url",
    "receivers",
    "repeat_interval",
    "reports",
    "retention_days",
    "retry",
    "route",
    "shadow",
    "show_messages",
    "spend_max_entities",
    "spend_retention_days",
    "store_patience",
    "time_intervals",
    "time_zone",
)
#: What is compiled into channels, receivers and the routing tree; all else is used as it is.
COMPILED: Final = frozenset(
    (
        "alerting", "alert_types", "alert_to_webhook_url", "budget_webhook", "inhibitions", "receivers", "route",
        "time_intervals",
    )
)  # fmt: skip

#: What the environment may say, as ``ALERTWORKER_<NAME>``.
VARIABLES: Final = (
    "api_key",
    "alerting_threshold",
    "broker_url",
    "data_dir",
    "database_url",
    "group_interval",
    "heartbeat_url",
    "http_host",
    "http_port",
    "log_format",
    "public_url",
    "publish_key",
    "shadow",
    "show_messages",
    "time_zone",
)


@dataclass(slots=True)
class Sources:
    """Raw values with their origins, and what is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: LiteLLM's, as the file has it.
    master_key: object = None
    #: Where LiteLLM is told to log no messages at all, if it is.
    messages_off: str | None = None

    def put(self, name: str, value: Any, origin: str) -> None:
        """Take a value; the last one put wins."""
        self.values[name] = value
        self.origins[name] = origin


def read_file(path: Path, sources: Sources) -> None:
    """Read LiteLLM's words, then our own section, whose same words win."""
    try:
        text = path.read_text()
        content = yaml.safe_load(text)
        lines = _lines(yaml.compose(text, Loader=yaml.SafeLoader))
    except OSError as error:
        sources.problems.append(f"{path}: cannot be read ({error.strerror}); check ALERTWORKER_CONFIG")
        return
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        sources.problems.append(f"{where}: is not YAML: {getattr(error, 'problem', 'unreadable')}")
        return
    if isinstance(content, dict):
        general = content.get("general_settings")
        sources.master_key = general.get("master_key") if isinstance(general, dict) else None
        _variables(content.get("environment_variables"), sources)
        _zone(content.get("litellm_settings"), {"path": path, "lines": lines, "sources": sources})
        _messages(content.get("litellm_settings"), {"path": path, "lines": lines, "sources": sources})
        for section, words in (("general_settings", GENERAL), ("alertworker", OWN)):
            _section(section, words, content.get(section), {"path": path, "lines": lines, "sources": sources})


def _section(section: str, words: tuple[str, ...], values: Any, file: dict[str, Any]) -> None:
    path, lines, sources = file["path"], file["lines"], file["sources"]
    if values is None:
        return
    if not isinstance(values, dict):
        sources.problems.append(f"{path}: {section} must be a mapping, not {type(values).__name__}")
        return
    for name, value in values.items():
        where = f"{path.name}:{lines.get((section, str(name)), 0)} {section}.{name}"
        if name in words:
            sources.put(name, value, where)
        elif section == "alertworker":  # what LiteLLM has beside is LiteLLM's business
            sources.problems.append(f"{where}: unknown setting{nearest(str(name), OWN)}")


def _zone(settings: Any, file: dict[str, Any]) -> None:
    """Take the time zone in which LiteLLM resets budgets; it has another word for it."""
    if isinstance(settings, dict) and settings.get("timezone"):
        line = file["lines"].get(("litellm_settings", "timezone"), 0)
        where = f"{file['path'].name}:{line} litellm_settings.timezone"
        file["sources"].put("time_zone", settings["timezone"], where)


def _messages(settings: Any, file: dict[str, Any]) -> None:
    """Take LiteLLM's words on messages: one shows them where it is written down as false, one withholds them."""
    sources = file["sources"]

    def where(name: str) -> str:
        return f"{file['path'].name}:{file['lines'].get(('litellm_settings', name), 0)} litellm_settings.{name}"

    if isinstance(settings, dict) and settings.get("redact_messages_in_exceptions") is False:
        sources.put("show_messages", value=True, origin=where("redact_messages_in_exceptions"))
    if isinstance(settings, dict) and settings.get("turn_off_message_logging") is True:
        sources.messages_off = where("turn_off_message_logging")


def read_environ(environ: Mapping[str, str], sources: Sources) -> None:
    """Read what the environment says; it wins over every file."""
    for name in VARIABLES:
        variable = f"ALERTWORKER_{name.upper()}"
        value, origin = secret(variable, environ, sources.problems)
        if value is not None:
            sources.put(name, value, origin)
    if sources.messages_off is not None:
        sources.put("show_messages", value=False, origin=sources.messages_off)
    # The process's own environment beats the file's environment_variables, in whichever of its two forms.
    for name in environ:
        sources.environ.pop(name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE", None)
    sources.environ |= environ


def secret(variable: str, environ: Mapping[str, str], problems: list[str]) -> tuple[str | None, str]:
    """Read a variable, or the file that ``<variable>_FILE`` names, with its origin; note what is wrong with it."""
    try:
        return read_variable(variable, environ)
    except VariableError as error:
        problems.append(str(error))
        return None, ""


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """Suggest what was probably meant."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _variables(values: Any, sources: Sources) -> None:
    if isinstance(values, dict):
        sources.environ |= {str(name): str(value) for name, value in values.items() if value is not None}


def _lines(node: Any) -> dict[tuple[str, str], int]:
    """Map (section, key) to the line on which the key stands."""
    found: dict[tuple[str, str], int] = {}
    for section, body in node.value if isinstance(node, yaml.MappingNode) else []:
        for key, _ in body.value if isinstance(body, yaml.MappingNode) else []:
            found[str(section.value), str(key.value)] = key.start_mark.line + 1
    return found
