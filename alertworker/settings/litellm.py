"""LiteLLM's words for where alerts go, compiled into channels, receivers and a routing tree."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.channels import recognize
from alertworker.errors import AlertWorkerError
from alertworker.routing.matchers import Matcher
from alertworker.routing.router import Route
from alertworker.settings.sources import Sources, nearest, secret

_REFERENCE: Final = "os.environ/"
#: Where our own relay listens: an alert sent there would come back as an alert.
_RELAY: Final = "/integrations/litellm/"
#: What may be said of the channel that ``WEBHOOK_URL`` is.
_BUDGET_FORM: Final = ("format", "spend_tracked")
#: The receiver that takes what no route takes.
DEFAULT: Final = "default"
#: The chat that is ours alone, where the proxy's variable is to point at our relay.
_OURS: Final = "ALERTWORKER_SLACK_WEBHOOK_URL"
_LEFT: Final = f"leave it to the proxy and set {_OURS}, which comes before it, to the chat itself"
#: Variables that hold a chat's address, with LiteLLM's word for it in ``alerting``, and what it speaks where the
#: address itself does not tell.
_CHATS: Final = (
    ("slack", _OURS, "slack"),
    ("slack", "SLACK_WEBHOOK_URL", "slack"),
    ("slack", "ALERTING_WEBHOOK_URL", "slack"),
    ("ms_teams", "MS_TEAMS_WEBHOOK_URL", "ms_teams"),
    ("discord", "DISCORD_WEBHOOK_URL", "discord"),
)


class NameTaken(AlertWorkerError):
    """Another channel has the name; says in which fields they differ, and no value."""


@dataclass(slots=True)
class Destinations:
    """Channels by name, as raw fields; receivers with their channels' names; the tree; and what to warn of."""

    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    receivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    route: Route = field(default_factory=lambda: Route(receiver=DEFAULT))
    warnings: list[str] = field(default_factory=list)

    def add(self, fields: dict[str, Any]) -> str:
        """Take a channel, named after its kind and secret unless it has a name; equal ones are one channel.

        A pace that is given once is that of the channel, wherever else it is named.

        Raises:
            NameTaken: the name is that of a channel with other fields.
        """
        name = fields.get("name") or channel_name(str(fields["kind"]), _identity(fields))
        taken = self.channels.setdefault(name, {**fields, "name": name})
        if "pace" in fields:
            taken.setdefault("pace", fields["pace"])
        wanted = {"pace": taken.get("pace"), **fields, "name": name}
        if other := [key for key in {**taken, **wanted} if taken.get(key) != wanted.get(key)]:
            raise NameTaken(
                f"there is a channel {name!r} already, with another {' and '.join(other)}; give one of them another "
                "name, or both the same fields"
            )
        return name


def channel_name(kind: str, identity: str) -> str:
    """Name a channel: stable, equal for equal addresses, and no secret."""
    return f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def compile_litellm(sources: Sources) -> Destinations:
    """Read ``alerting``, ``alert_to_webhook_url`` and the variables that hold addresses.

    Nothing configured at all means the terminal. With ``alerting`` set, only what it names speaks; the budget webhook
    speaks only where it is named, as in LiteLLM, since ``WEBHOOK_URL`` may be anybody's variable.
    """
    found = Destinations()
    alerting = sources.values.get("alerting")
    chats = list(dict.fromkeys([*_default_chats(found, sources, alerting), *_mail(found, sources, alerting)]))
    budgets = _budget_webhook(found, sources, alerting)
    routes: list[Route] = []
    per_type: dict[str, list[str]] = {}
    if alerting is None or "slack" in alerting:
        per_type = _per_type(sources)
        for kind, urls in per_type.items():
            found.receivers[kind] = tuple(dict.fromkeys(found.add(chat(url)) for url in urls))
            routes.append(_typed(kind))
    if not chats and not routes and (alerting is None or "slack" in alerting):
        chats = [found.add({"kind": "console", "name": "console"})]
        if alerting is not None:
            found.warnings.append(
                "alerting names slack but no webhook is set: set SLACK_WEBHOOK_URL; alerts go to the terminal for now"
            )
    elif not chats and not routes and not budgets and "route" not in sources.values:
        found.warnings.append(f"{sources.origins['alerting']}: names no chat that has an address, so nobody is told")
    if budgets:
        found.receivers[AlertType.BUDGET_ALERTS] = (*found.receivers.get(AlertType.BUDGET_ALERTS, chats), *budgets)
        if AlertType.BUDGET_ALERTS not in per_type:
            routes.append(_typed(AlertType.BUDGET_ALERTS))
    found.receivers[DEFAULT] = tuple(chats)
    found.route = Route(receiver=DEFAULT, routes=tuple(_paging(_pager(found, sources, alerting), found, routes)))
    return found


def chat(url: str, otherwise: str = "slack") -> dict[str, Any]:
    """Give the channel of an address; some vendors are known by it, whatever variable it stands in."""
    return {"kind": recognize(url) or otherwise, "url": url}


def is_loop(url: object, where: str, sources: Sources, remedy: str = "name the chat itself") -> bool:
    """Tell whether an address is our own relay, and note a problem where it is."""
    loops = isinstance(url, str) and _RELAY in url
    if loops:
        sources.problems.append(f"{where}: is our own relay, so that every alert would come back; {remedy}")
    return loops


def resolve(item: Any, where: str, sources: Sources) -> str | None:
    """Read a value that may be ``os.environ/NAME``; ``None`` with a problem where that is not set."""
    if not isinstance(item, str):
        sources.problems.append(f"{where}: must be a text, not {type(item).__name__}")
        return None
    if not item.startswith(_REFERENCE):
        return item
    variable = item.removeprefix(_REFERENCE)
    known = len(sources.problems)
    value, _ = secret(variable, sources.environ, sources.problems)
    if value is None and len(sources.problems) == known:
        sources.problems.append(f"{where}: the environment variable {variable} is not set; set it or take the line out")
    return value


def _without(word: str, alerting: Any) -> str:
    """Say how what a variable of LiteLLM's holds is left to the proxy."""
    rest = [
        one
        for one in (alerting if isinstance(alerting, list) else dict.fromkeys(chat for chat, _, _ in _CHATS))
        if one != word
    ]
    return f"leave it to the proxy and write alerting: {json.dumps(rest)} under alertworker:, where {word} is not named"


def _typed(kind: str) -> Route:
    return Route(matchers=(Matcher("alert_type", "=", kind),), receiver=kind)


def _budget_webhook(found: Destinations, sources: Sources, alerting: Any) -> list[str]:
    if alerting is None or "webhook" not in alerting:
        if "budget_webhook" in sources.values:
            where = sources.origins["budget_webhook"]
            found.warnings.append(f"{where}: alerting does not name webhook, so there is none; name it there")
        return []
    url, origin = secret("WEBHOOK_URL", sources.environ, sources.problems)
    if not url:
        found.warnings.append("alerting names webhook but WEBHOOK_URL is not set; set it or take the word out")
        return []
    sources.origins["webhook"] = origin
    if is_loop(url, origin, sources, _without("webhook", alerting)):
        return []
    name = channel_name("budget_webhook", url)  # also in another form it is the same channel
    return [found.add({**_budget_form(sources), "kind": "budget_webhook", "name": name, "url": url})]


def _budget_form(sources: Sources) -> dict[str, Any]:
    given, where = sources.values.get("budget_webhook") or {}, sources.origins.get("budget_webhook", "budget_webhook")
    if not isinstance(given, dict):
        sources.problems.append(f"{where}: must be a mapping, not {type(given).__name__}")
        return {}
    for word in set(given) - set(_BUDGET_FORM):
        sources.problems.append(f"{where}: unknown word {word}{nearest(str(word), _BUDGET_FORM)}")
    return {word: given[word] for word in _BUDGET_FORM if word in given}


def _mail(found: Destinations, sources: Sources, alerting: Any) -> list[str]:
    """Read LiteLLM's ``SMTP_*``, and our own variable for who gets the mail: LiteLLM writes to users alone."""
    if alerting is None or "email" not in alerting:
        return []

    def read(variable: str) -> str | None:
        return secret(variable, sources.environ, sources.problems)[0]

    to = [address.strip() for address in (read("ALERTWORKER_EMAIL_RECIPIENTS") or "").split(",") if address.strip()]
    fields = {
        "host": read("SMTP_HOST"),
        "port": read("SMTP_PORT"),
        "username": read("SMTP_USERNAME"),
        "password": read("SMTP_PASSWORD"),
        "sender": read("SMTP_SENDER_EMAIL"),
        "recipients": to,
    }
    wanted = {"host": "SMTP_HOST", "sender": "SMTP_SENDER_EMAIL", "recipients": "ALERTWORKER_EMAIL_RECIPIENTS"}
    missing = [variable for name, variable in wanted.items() if not fields[name]]
    if missing:
        found.warnings.append(f"alerting names email but {', '.join(missing)} is not set; set it or take the word out")
        return []
    if (read("SMTP_USE_SSL") or "").lower() == "true":
        fields["tls"] = "tls"
    elif (read("SMTP_TLS") or "").lower() == "false":
        fields["tls"] = "none"
    sources.origins["email"] = "environment SMTP_HOST"
    return [found.add({"kind": "email", **{name: value for name, value in fields.items() if value}})]


def _paging(pager: list[str], found: Destinations, routes: list[Route]) -> list[Route]:
    """Put what pages, which is what is High, in front of where alerts go anyway."""
    if not pager:
        return routes
    found.receivers["pagerduty"] = tuple(pager)
    high = Route(matchers=(Matcher("severity", "=", Severity.HIGH),), receiver="pagerduty", goes_on=True)
    return [high, *routes, Route(receiver=DEFAULT)]


def _pager(found: Destinations, sources: Sources, alerting: Any) -> list[str]:
    """Read PagerDuty's key: where ``alerting`` names it, what is High pages."""
    if alerting is None or "pagerduty" not in alerting:
        return []
    for variable in ("PAGERDUTY_ROUTING_KEY", "PAGERDUTY_API_KEY"):
        key, origin = secret(variable, sources.environ, sources.problems)
        if key:
            sources.origins["pagerduty"] = origin
            return [found.add({"kind": "pagerduty", "routing_key": key})]
    found.warnings.append("alerting names pagerduty but PAGERDUTY_ROUTING_KEY is not set; set it or take the word out")
    return []


def _default_chats(found: Destinations, sources: Sources, alerting: Any) -> list[str]:
    names = []
    taken: set[str] = set()
    for word, variable, otherwise in _CHATS:
        if (alerting is not None and word not in alerting) or (word == "slack" and word in taken):
            continue
        url, origin = secret(variable, sources.environ, sources.problems)
        if url:
            taken.add(word)
            sources.origins[f"default_{word}"] = origin
            ours = (
                "name the chat itself" if variable == _OURS else _LEFT if word == "slack" else _without(word, alerting)
            )
            if not is_loop(url, origin, sources, ours):
                names.append(found.add(chat(url, otherwise)))
    return names


def _identity(fields: dict[str, Any]) -> str:
    secretive = {key: value for key, value in fields.items() if key not in ("kind", "name", "pace")}
    return str(secretive["url"]) if set(secretive) == {"url"} else repr(sorted(secretive.items()))


def _per_type(sources: Sources) -> dict[str, list[str]]:
    mapping = sources.values.get("alert_to_webhook_url") or {}
    origin = sources.origins.get("alert_to_webhook_url", "alert_to_webhook_url")
    if not isinstance(mapping, dict):
        sources.problems.append(f"{origin}: must map alert types to addresses, not be a {type(mapping).__name__}")
        return {}
    remedy = "name the chat itself, under alertworker: where LiteLLM's own addresses are to stay"
    known = [kind.value for kind in AlertType]
    urls: dict[str, list[str]] = {}
    for kind, given in mapping.items():
        if kind not in known:
            sources.problems.append(f"{origin}: {kind!r} is no alert type{nearest(str(kind), known)}")
            continue
        items = given if isinstance(given, list) else [given]
        resolved = [resolve(item, f"{origin}.{kind}", sources) for item in items]
        urls[kind] = [
            url for url in resolved if url is not None and not is_loop(url, f"{origin}.{kind}", sources, remedy)
        ]
    return {kind: found for kind, found in urls.items() if found}
