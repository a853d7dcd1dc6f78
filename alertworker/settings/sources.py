"""Where values come from: LiteLLM's config.yaml, our own section in it, and the environment; each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from alertworker.host.secret_files import VariableError, read_variable
from alertworker.settings.yaml_files import Section, read_sections

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
    """Read LiteLLM's words, then our own section, whose same words win; from the file and what it includes."""
    sections = read_sections(path, sources.problems)
    general, variables = sections.get("general_settings"), sections.get("environment_variables")
    if general is not None and isinstance(general.value, dict):
        sources.master_key = general.value.get("master_key")
    if variables is not None:
        _variables(variables.value, sources)
    _litellm(sections.get("litellm_settings"), sources)
    _section(general, GENERAL, sources)
    _section(sections.get("alertworker"), OWN, sources)


def _section(section: Section | None, words: tuple[str, ...], sources: Sources) -> None:
    if section is None or section.value is None:
        return
    if not isinstance(section.value, dict):
        sources.problems.append(f"{section.path}: {section.name} must be a mapping, not {type(section.value).__name__}")
        return
    for name, value in section.value.items():
        if name in words:
            sources.put(name, value, section.where(name))
        elif words is OWN:  # what LiteLLM has beside is LiteLLM's business
            sources.problems.append(f"{section.where(name)}: unknown setting{nearest(str(name), OWN)}")


def _litellm(section: Section | None, sources: Sources) -> None:
    """Take the time zone in which LiteLLM resets budgets, for which it has another word; and its words on messages.

    Of these, one shows them where it is written down as false, one withholds them.
    """
    if section is None or not isinstance(section.value, dict):
        return
    settings = section.value
    if settings.get("timezone"):
        sources.put("time_zone", settings["timezone"], section.where("timezone"))
    if settings.get("redact_messages_in_exceptions") is False:
        sources.put("show_messages", value=True, origin=section.where("redact_messages_in_exceptions"))
    if settings.get("turn_off_message_logging") is True:
        sources.messages_off = section.where("turn_off_message_logging")


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
