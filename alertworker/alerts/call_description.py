"""The parts that alerts about calls share: labels, the lines that name calls, metadata to show and links to traces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

from alertworker.alerts.catalogue import TRACE
from alertworker.events import CallEvent, DeploymentCooledDown
from alertworker.text.names import deployment_with_id, short_id, with_id
from alertworker.text.shorten import ELLIPSIS, shorten

#: The model of calls without one.
UNKNOWN_MODEL: Final = "unknown model"
_TRACE_ID: Final = re.compile(r"(?=.*[1-9a-f])[0-9a-f]{32}")
#: How much of a call's metadata its line shows: pairs, and characters of each name and value.
_MAX_PAIRS: Final = 3
_MAX_PAIR: Final = 40


def newest_metadata(events: Iterable[CallEvent | DeploymentCooledDown]) -> Mapping[str, str]:
    """Return the metadata of the newest call that has any."""
    asking = [event for event in events if event.alerting_metadata]
    return max(asking, key=lambda event: event.occurred_at).alerting_metadata if asking else {}


def name_call(*names: str | None, metadata: Mapping[str, str]) -> str:
    """Return the line that names one call, with the first pairs of its metadata.

    >>> name_call("c2", "search", None, metadata={"hello": "world"})
    'c2 · search · hello=world'
    """
    pairs = [f"{_cut(key)}={_cut(value)}" for key, value in list(metadata.items())[:_MAX_PAIRS]]
    more = ["…"] if len(metadata) > _MAX_PAIRS else []
    return " · ".join((*(name for name in names if name), *pairs, *more))


def trace_link(trace_id: str | None, langfuse_host: str | None) -> dict[str, str]:
    """Return the fact that links to a call's trace, with LiteLLM's label. Langfuse finds the project by the id."""
    if not langfuse_host or not trace_id:
        return {}
    return {TRACE: f"{langfuse_host.rstrip('/')}/trace/{_langfuse_id(trace_id)}"}


def _langfuse_id(trace_id: str) -> str:
    """Return a trace's id in Langfuse: 32 hexadecimal digits, derived as LiteLLM derives them.

    >>> _langfuse_id("90C2903C-f9f1-4b64-b0af-9ad0ef2a86fc")
    '90c2903cf9f14b64b0af9ad0ef2a86fc'
    """
    digits = trace_id.lower().replace("-", "")
    return digits if _TRACE_ID.fullmatch(digits) else sha256(trace_id.encode()).digest()[:16].hex()


def _cut(text: str) -> str:
    return shorten(" ".join(text.split()), _MAX_PAIR, ELLIPSIS)


def deployment_facts(event: CallEvent | DeploymentCooledDown) -> dict[str, str]:
    """Return the facts about the deployment of a call, without unknown ones."""
    facts = {
        "API Base": event.api_base,
        "Deployment": deployment_with_id(event.deployment_id or "", event.model, event.provider, event.region),
        "Provider": event.provider,
        "Region": event.region,
    }
    return {label: value for label, value in facts.items() if value}


def owner_facts(event: CallEvent) -> dict[str, str]:
    """Return the facts about the owners of one call by their names, with ids after them, without unknown ones."""
    facts = {
        "Key Name": with_id(event.key_alias or "", event.key_hash or ""),
        "Team": with_id(event.team_alias or "", event.team_id or ""),
        "User": with_id(event.user_email or "", event.user_id or ""),
    }
    return {label: value for label, value in facts.items() if value}


def model_of(event: CallEvent) -> str:
    """Return the model that a call asked for."""
    return event.model_group or event.model or UNKNOWN_MODEL


def key_label(key_alias: str | None, key_hash: str | None) -> str:
    """Return the label of a caller's key: its name, else the first digits of its hash, empty for an unknown key.

    >>> key_label("app", "3f" * 32), key_label(None, "3f" * 32)
    ('app', '3f3f3f3f…')
    """
    return key_alias or short_id(key_hash or "")


def call_labels(event: CallEvent) -> dict[str, str]:
    """Return the labels of an alert about a call. They always include a model."""
    return {"model": UNKNOWN_MODEL} | event.attribution.labels()
