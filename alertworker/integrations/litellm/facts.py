"""What LiteLLM knows of a call, in our contract's words: small, bounded, and never the prompt."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from alertworker.events.base import MAX_ITEMS, MAX_NAME, MAX_NANOS, MAX_TEXT, MAX_URL
from alertworker.money import nanos_from_dollars

#: The keys of team and key metadata that may travel; ``ALERTWORKER_METADATA_KEYS`` names others, with commas.
_METADATA_KEYS: Final = frozenset(
    os.environ.get("ALERTWORKER_METADATA_KEYS", "soft_budget_alerting_emails,alert_receiver").split(",")
)
#: Whose budget, and the attributes of LiteLLM's ``UserAPIKeyAuth`` that hold id, spend, maximum, soft limit,
#: duration and reset; what it does not have is "".
_BUDGETS: Final = (
    ("key", "token", "spend", "max_budget", "soft_budget", "budget_duration", "budget_reset_at"),
    ("team", "team_id", "team_spend", "team_max_budget", "team_soft_budget", "", "team_budget_reset_at"),
    ("user", "user_id", "user_spend", "user_max_budget", "", "", "user_budget_reset_at"),
    ("organization", "org_id", "organization_spend", "organization_max_budget", "", "", ""),
    ("customer", "end_user_id", "", "end_user_max_budget", "", "", ""),
)
_UNSAFE: Final = re.compile("[\x00\ud800-\udfff]")


def text(value: object, limit: int = MAX_NAME) -> str | None:
    """Give a value as bounded text without NUL or lone surrogates; ``None`` for nothing."""
    if value is None or value == "":
        return None
    return _UNSAFE.sub("\ufffd", str(value)[:limit])


def identity(auth: object) -> dict[str, Any]:
    """Say for whom a call runs, from LiteLLM's ``UserAPIKeyAuth``."""
    return {
        "key_hash": key_hash(getattr(auth, "token", None) or getattr(auth, "api_key", None)),
        "key_alias": text(getattr(auth, "key_alias", None)),
        "team_id": text(getattr(auth, "team_id", None)),
        "team_alias": text(getattr(auth, "team_alias", None)),
        "user_id": text(getattr(auth, "user_id", None)),
        "user_email": text(getattr(auth, "user_email", None)),
        "customer_id": text(getattr(auth, "end_user_id", None)),
        "organization_id": text(getattr(auth, "org_id", None)),
        "organization_alias": text(getattr(auth, "organization_alias", None)),
        "key_metadata": allowed(getattr(auth, "metadata", None)),
        "team_metadata": allowed(getattr(auth, "team_metadata", None)),
    }


def key_hash(token: object) -> str | None:
    """Give a key's hash; LiteLLM mostly did that already, but a raw key must never travel."""
    if not isinstance(token, str) or not token:
        return None
    return hashlib.sha256(token.encode(errors="replace")).hexdigest() if token.startswith("sk-") else token[:MAX_NAME]


def allowed(metadata: object) -> dict[str, str]:
    """Give the allow-listed part of somebody's metadata."""
    if not isinstance(metadata, Mapping):
        return {}
    return {key: text(metadata[key], MAX_TEXT) or "" for key in _METADATA_KEYS if key in metadata}


def shown(metadata: object) -> dict[str, str]:
    """Give ``alerting_metadata`` as bounded text."""
    if not isinstance(metadata, Mapping):
        return {}
    items = list(metadata.items())[:MAX_ITEMS]
    return {text(key) or "": text(value, MAX_TEXT) or "" for key, value in items}


def tags(values: object) -> list[str]:
    """Give a request's tags, bounded."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        return []
    return [tag for tag in (text(value) for value in list(values)[:MAX_ITEMS]) if tag]


def address(url: object) -> str | None:
    """Give an API base without what may be secret in it: user, password, query."""
    if not isinstance(url, str) or not url:
        return None
    parts = urlsplit(url)
    return text(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path, MAX_URL
    )


def moment(value: object) -> datetime | None:
    """Give an aware moment of LiteLLM's datetime, ISO text or epoch seconds."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.astimezone(UTC)
    if isinstance(value, int | float) and value > 0:
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        try:
            return moment(datetime.fromisoformat(value))
        except ValueError:
            return None
    return None


def nanos(dollars: object) -> int | None:
    """Give nano-dollars; nonsense is unknown."""
    if isinstance(dollars, bool) or not isinstance(dollars, int | float) or dollars != dollars:  # noqa: PLR0124 - NaN
        return None
    return nanos_from_dollars(dollars) if abs(dollars) < MAX_NANOS / 1e9 else None


def budgets(auth: object) -> list[dict[str, Any]]:
    """Give every budget that LiteLLM told the call's authorisation, with its figures of that moment."""
    found = []
    for scope, *names in _BUDGETS:
        entity, spend, most, soft, duration, reset = (getattr(auth, name, None) if name else None for name in names)
        if entity and (most is not None or soft is not None):
            found.append(
                {
                    "scope": scope,
                    "entity_id": key_hash(entity) if scope == "key" else text(entity),
                    "spend_nanos": nanos(spend),
                    "max_nanos": nanos(most),
                    "soft_nanos": nanos(soft),
                    "duration": text(duration),
                    "reset_at": moment(reset),
                }
            )
    return found


def deployment(request: Mapping[str, Any]) -> dict[str, Any]:
    """Say on which deployment an attempt runs, from the arguments LiteLLM calls it with."""
    metadata = metadata_of(request)
    info = request.get("model_info") or metadata.get("model_info") or {}
    model = text(request.get("model"))
    provider = request.get("custom_llm_provider") or (model.partition("/")[0] if model and "/" in model else None)
    region = request.get("aws_region_name") or request.get("vertex_location") or request.get("region_name")
    return {
        "model": model,
        "model_group": text(metadata.get("model_group")),
        "deployment_id": text(info.get("id")) if isinstance(info, Mapping) else None,
        "provider": text(provider),
        "region": text(region),
        "api_base": address(request.get("api_base") or metadata.get("api_base")),
    }


def metadata_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give LiteLLM's metadata of a request, which some routes keep under another name."""
    for name in ("metadata", "litellm_metadata"):
        metadata = request.get(name)
        if isinstance(metadata, Mapping) and metadata:
            return metadata
    return {}
