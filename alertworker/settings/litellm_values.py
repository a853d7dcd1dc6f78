"""LiteLLM's sections of the file as LiteLLM reads them.

LiteLLM ignores keys and alert types that it does not know, and it starts with a limit of 0. So do we, each with a
warning. Under ``alertworker:`` the same values are errors.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Final
from zoneinfo import ZoneInfo

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alertworker.alerts.catalogue import AlertType
from alertworker.settings.file_config import LiteLLMConfig
from alertworker.settings.problems import KeyPath, nearest
from alertworker.settings.sources import Sources
from alertworker.settings.values import AlertingArgs, Digest


def _in_order(name: str) -> str:
    return "_".join(sorted(name.split("_")))


_TYPES: Final = frozenset(alert_type.value for alert_type in AlertType)
#: The types by their words in alphabetical order: people write hanging_llm_responses for llm_requests_hanging.
_IN_ORDER: Final = {_in_order(name): name for name in sorted(_TYPES)}
#: Keys whose values are, or begin with, names of alert types.
_BY_TYPE: Final = ("alert_types", "alert_type_config", "alert_to_webhook_url")
#: Settings that people write into ``alerting_args``, and where they belong.
_ELSEWHERE: Final = {
    "smtp_host": "e-mail is set by the variable SMTP_HOST",
    "smtp_port": "e-mail is set by the variable SMTP_PORT",
    "smtp_username": "e-mail is set by the variable SMTP_USERNAME",
    "smtp_password": "e-mail is set by the variable SMTP_PASSWORD",
    "smtp_sender": "e-mail is set by the variable SMTP_SENDER_EMAIL",
    "smtp_sender_email": "e-mail is set by the variable SMTP_SENDER_EMAIL",
    "slack_webhook_url": "the chat is set by the variable SLACK_WEBHOOK_URL",
    "webhook_url": "the webhook is set by the variable WEBHOOK_URL",
}
#: The value that replaces 0 in a key that must be above 0, and its meaning. Any other such key becomes 1.
_FOR_ZERO: Final = {
    "alerting_threshold": (0.001, "every call is slow"),
    "daily_report_frequency": (3_600.0, "the report is sent every hour"),
}
#: Abbreviations of time zones that are not names of zones.
_ZONES: Final = {
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "MDT": "America/Denver",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "SGT": "Asia/Singapore",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
}


def drop_unknown(sources: Sources) -> None:
    """Drop the keys and alert types of LiteLLM's sections that are unknown, and warn about each.

    It comes before references to variables are resolved: an unknown key must not fail because a variable is not set.
    """
    if sources.is_from_litellm("alert_types") and isinstance(written := sources.values["alert_types"], str):
        sources.values["alert_types"] = re.findall(r"\w+", written)  # LiteLLM finds names within a string
    for key in _BY_TYPE:
        if sources.is_from_litellm(key):
            sources.values[key] = _known_types(sources.values[key], key, sources)
    if sources.is_from_litellm("alert_type_config"):
        config = sources.values["alert_type_config"]
        for alert_type, digest in config.items() if isinstance(config, dict) else ():
            config[alert_type] = _known_keys(digest, Digest, ("alert_type_config", alert_type), sources)
    if "alerting_args" in sources.values:  # other versions of LiteLLM have other keys, in our section as well
        sources.values["alerting_args"] = _known_keys(
            sources.values["alerting_args"], AlertingArgs, ("alerting_args",), sources
        )


def adapt(sources: Sources) -> None:
    """Adapt the resolved values of LiteLLM's sections that LiteLLM accepts and we do not, and warn about each."""
    for key, field in LiteLLMConfig.model_fields.items():
        if sources.is_from_litellm(key):
            sources.values[key] = _bounded(sources.values[key], field, (key,), sources)
    _adapt_args(sources)
    digests = sources.values.get("alert_type_config")
    if sources.is_from_litellm("alert_type_config") and isinstance(digests, dict):
        sources.values["alert_type_config"] = {
            alert_type: _all_bounded(item, Digest, ("alert_type_config", alert_type), sources)
            for alert_type, item in digests.items()
        }
    frequency = sources.values.get("spend_report_frequency")
    if sources.is_from_litellm("spend_report_frequency") and isinstance(frequency, str):
        sources.values["spend_report_frequency"] = frequency.strip().lower()
    if sources.is_from_litellm("time_zone"):
        sources.values["time_zone"] = _zone(sources.values["time_zone"], sources)


def _adapt_args(sources: Sources) -> None:
    """Adapt LiteLLM's ``alerting_args``; where our section has the key, too, those that ours leaves out."""
    args = sources.values.get("alerting_args")
    if isinstance(args, dict):
        names = args if sources.is_from_litellm("alerting_args") else sources.inherited
        theirs = {name: item for name, item in args.items() if name in names}
        sources.values["alerting_args"] = args | _all_bounded(theirs, AlertingArgs, ("alerting_args",), sources)


def _known_types(value: Any, key: str, sources: Sources) -> Any:
    """Return a list, or a mapping, without the names that are no alert types."""
    items = list(value) if isinstance(value, list | dict) else []
    unknown = [name for name in items if isinstance(name, str) and name not in _TYPES]
    for name in unknown:
        path: KeyPath = (key, items.index(name)) if isinstance(value, list) else (key, name)
        close = difflib.get_close_matches(_in_order(name), _IN_ORDER, n=1)
        remedy = f"did you mean {_IN_ORDER[close[0]]}?" if close else "`alertworker check` lists the types"
        sources.warn(path, f"unknown alert type {name!r} is ignored, as in LiteLLM; {remedy}")
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name not in unknown}
    return [name for name in value if name not in unknown] if isinstance(value, list) else value


def _known_keys(value: Any, model: type[BaseModel], path: KeyPath, sources: Sources) -> Any:
    if not isinstance(value, dict):
        return value
    known = list(model.model_fields)
    for name in (str(name) for name in value if name not in known):
        remedy = _ELSEWHERE.get(name.lower()) or nearest(name, known).removeprefix("; ")
        sources.warn((*path, name), f"is not a setting of {path[0]}; {remedy}")
    return {name: item for name, item in value.items() if name in known}


def _all_bounded(value: Any, model: type[BaseModel], path: KeyPath, sources: Sources) -> Any:
    if not isinstance(value, dict):
        return value
    fields = model.model_fields
    return {name: _bounded(item, fields[name], (*path, name), sources) for name, item in value.items()}


def _bounded(value: Any, field: FieldInfo, path: KeyPath, sources: Sources) -> Any:
    """Return a number within the bounds of its field, with a warning if it was not."""
    number = _number(value)
    if number is None:
        return value
    for bound in field.metadata:
        kept, meaning = value, ""
        if isinstance(bound, Gt) and number <= _bound(bound.gt):
            kept, meaning = _FOR_ZERO.get(str(path[-1]), (1, "the smallest value"))
        elif isinstance(bound, Ge) and number < _bound(bound.ge):
            kept, meaning = _bound(bound.ge), "the smallest value"
        elif isinstance(bound, Le) and number > _bound(bound.le):
            kept, meaning = _bound(bound.le), "the largest value"
        if meaning:
            sources.warn(path, f"{value} is out of range; {_spell(kept)} is used: {meaning}")
            return kept
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _spell(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def _bound(value: Any) -> float:
    return float(value)


def _zone(name: Any, sources: Sources) -> Any:
    """Return the time zone, UTC for an unknown one: LiteLLM resets budgets by UTC then."""
    try:
        ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        likely = _ZONES.get(str(name).upper(), "Europe/Berlin")
        sources.warn(
            ("time_zone",), f"unknown time zone {name!r}; UTC is used, as in LiteLLM. Write, for example, {likely}"
        )
        return "UTC"
    return name
