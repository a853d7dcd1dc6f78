"""LiteLLM's words for where alerts go, compiled into channels and routes."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from alertworker.alerts import AlertType
from alertworker.settings.sources import Sources, nearest, secret

_REFERENCE: Final = "os.environ/"
_CONSOLE: Final[dict[str, Any]] = {"kind": "console", "name": "console"}


def destinations(sources: Sources) -> dict[str, Any]:
    """Give the fields ``channels``, ``routes``, ``default_route`` and ``warnings``.

    Nothing configured at all means the terminal. With ``alerting`` set, only what it names speaks.
    """
    alerting = sources.values.get("alerting")
    default = _default_url(sources)
    if alerting is None and default is None and not sources.values.get("alert_to_webhook_url"):
        return {"channels": [_CONSOLE], "default_route": ["console"]}
    if alerting is not None and "slack" not in alerting:
        return {
            "channels": [],
            "default_route": [],
            "warnings": [f'{sources.origins["alerting"]}: does not name "slack", so no alert goes there'],
        }
    return _slack(sources, default)


def channel_name(url: str) -> str:
    """Name a Slack channel after its address: stable, equal for equal addresses, and no secret."""
    return f"slack-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _slack(sources: Sources, default: str | None) -> dict[str, Any]:
    channels: dict[str, dict[str, Any]] = {}

    def channel(url: str) -> str:
        name = channel_name(url)
        channels.setdefault(name, {"kind": "slack", "name": name, "url": url})
        return name

    routes = {
        kind: list(dict.fromkeys(channel(url) for url in urls)) for kind, urls in _per_type(sources).items() if urls
    }
    if default is not None:
        return {"routes": routes, "default_route": [channel(default)], "channels": list(channels.values())}
    if routes:
        return {"routes": routes, "default_route": [], "channels": list(channels.values())}
    warning = "alerting names slack but no webhook is set: set SLACK_WEBHOOK_URL; until then alerts go to the terminal"
    return {"channels": [_CONSOLE], "default_route": ["console"], "warnings": [warning]}


def _default_url(sources: Sources) -> str | None:
    for variable in ("SLACK_WEBHOOK_URL", "ALERTING_WEBHOOK_URL"):
        url, origin = secret(variable, sources.environ, sources.problems)
        if url:
            sources.origins["default_webhook"] = origin
            return url
    return None


def _per_type(sources: Sources) -> dict[str, list[str]]:
    mapping = sources.values.get("alert_to_webhook_url") or {}
    origin = sources.origins.get("alert_to_webhook_url", "alert_to_webhook_url")
    if not isinstance(mapping, dict):
        sources.problems.append(f"{origin}: must map alert types to addresses, not be a {type(mapping).__name__}")
        return {}
    known = [kind.value for kind in AlertType]
    urls: dict[str, list[str]] = {}
    for kind, given in mapping.items():
        if kind not in known:
            sources.problems.append(f"{origin}: {kind!r} is no alert type{nearest(str(kind), known)}")
            continue
        items = given if isinstance(given, list) else [given]
        resolved = [_resolve(item, f"{origin}.{kind}", sources) for item in items]
        urls[kind] = [url for url in resolved if url is not None]
    return urls


def _resolve(item: Any, where: str, sources: Sources) -> str | None:
    if not isinstance(item, str):
        sources.problems.append(f"{where}: must be an address or a list of them, not {type(item).__name__}")
        return None
    if not item.startswith(_REFERENCE):
        return item
    variable = item.removeprefix(_REFERENCE)
    url, _ = secret(variable, sources.environ, sources.problems)
    if url is None:
        sources.problems.append(f"{where}: the environment variable {variable} is not set; set it or take the line out")
    return url
