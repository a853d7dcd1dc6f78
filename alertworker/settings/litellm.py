"""LiteLLM's keys and variables for alerting, compiled into channels, receivers and a routing tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from alertworker.alerts.catalogue import RELAYED, URGENT, AlertType, Severity
from alertworker.channels import CONFIGS, recognize
from alertworker.routing.matchers import Matcher
from alertworker.routing.router import Route
from alertworker.settings.budget_aliases import budget_routes
from alertworker.settings.channel_config import channel_name, complete, is_relay
from alertworker.settings.destinations import DEFAULT, Destinations
from alertworker.settings.file_config import FileConfig
from alertworker.settings.place import Place, Problem
from alertworker.settings.problems import nearest, read_errors
from alertworker.settings.sources import KeyOrigin, Sources

#: The chat of our own, for an environment in which the proxy's variable points at our relay.
_OURS: Final = "ALERTWORKER_SLACK_WEBHOOK_URL"
_DIRECT: Final = "use the URL of the chat"
_LEFT: Final = f"leave it to the proxy and set {_OURS}, which comes before it, to the URL of the chat"
#: Variables that hold a chat's URL, each with LiteLLM's name for it in ``alerting``. The third part is the kind of
#: channel, unless the URL shows another one.
_CHATS: Final = (
    ("slack", _OURS, "slack"),
    ("slack", "SLACK_WEBHOOK_URL", "slack"),
    ("slack", "ALERTING_WEBHOOK_URL", "slack"),
    ("ms_teams", "MS_TEAMS_WEBHOOK_URL", "ms_teams"),
    ("discord", "DISCORD_WEBHOOK_URL", "discord"),
)
#: LiteLLM's variables for mail, by the field of the channel; and ours for the recipients, which LiteLLM does not have.
_MAIL: Final = {
    "host": "SMTP_HOST",
    "port": "SMTP_PORT",
    "username": "SMTP_USERNAME",
    "password": "SMTP_PASSWORD",
    "sender": "SMTP_SENDER_EMAIL",
    "recipients": "ALERTWORKER_EMAIL_RECIPIENTS",
}
#: Alerts that page if ``alerting`` names a pager: urgent conditions at High. LiteLLM's own alerts are notices, so no
#: end resolves them.
_URGENT: Final = (
    Matcher("severity", "=", Severity.HIGH),
    Matcher("alert_type", "=~", "|".join(sorted(URGENT))),
    Matcher(RELAYED, "=", ""),
)
#: The names that ``alerting`` can hold.
_NAMES: Final = ("slack", "ms_teams", "discord", "webhook", "email", "pagerduty")
#: The receiver of budget alerts that ``slack_budget_alert_key_aliases`` keeps from Slack.
_WITHOUT_SLACK: Final = "budget_alerts_without_slack"
_MAIL_NEEDS: Final = ("host", "sender", "recipients")


def compile_litellm(config: FileConfig, sources: Sources) -> Destinations:
    """Compile ``alerting``, ``alert_to_webhook_url`` and the variables that hold URLs.

    If nothing is configured, alerts go to the terminal. If ``alerting`` is set, only what it names gets alerts. The
    budget webhook must be named, as in LiteLLM, since another program can own ``WEBHOOK_URL``.
    """
    return _Compiler(config, sources).compile()


@dataclass(slots=True)
class _Compiler:
    config: FileConfig
    sources: Sources
    found: Destinations = field(default_factory=Destinations)
    #: The variables that a named service needs and that are not set, by the service.
    lacking: dict[str, str] = field(default_factory=dict)

    def compile(self) -> Destinations:
        self._check_names()
        chats = list(dict.fromkeys([*self._chats(), *self._mail()]))
        budgets = self._budget_webhook()
        typed = self._typed_urls() if self._may_speak("slack") else {}
        routes = [_typed_route(name) for name in typed]
        self.found.receivers |= typed
        pager = self._pager()
        if not chats and not routes and self._may_speak("slack"):
            chats = self._add({"kind": "console", "name": "console"}, Place("the default"))
            if self.config.alerting is not None and self.config.route is None:
                self._warn(
                    "alerting names slack, but no webhook is set; set SLACK_WEBHOOK_URL. Alerts go to the terminal"
                )
        if not (chats or routes or budgets or pager) and self.config.route is None:
            self._warn(f"{self.sources.where('alerting')}: no alert will be sent; {self._remedies()}")
        else:
            for name, variables in self.lacking.items():
                self._warn(f"alerting names {name}, but {variables} is not set; set it, or remove {name} from alerting")
        alert_type, aliases = AlertType.BUDGET_ALERTS.value, self.config.alerting_args.slack_budget_alert_key_aliases
        if budgets:
            self.found.receivers[alert_type] = (*typed.get(alert_type, chats), *budgets)
            routes += [] if alert_type in typed else [_typed_route(alert_type)]
        if aliases is not None:
            routes = [*self._filtered(self.found.receivers.setdefault(alert_type, tuple(chats)), aliases), *routes]
        self.found.receivers[DEFAULT] = tuple(chats)
        self.found.route = Route(receiver=DEFAULT, routes=tuple(self._paging(pager, routes)))
        return self.found

    def _check_names(self) -> None:
        for name in self.config.alerting or ():
            if name not in _NAMES:
                meant = nearest(name.lower(), _NAMES)
                self._warn(f"{self.sources.where('alerting')}: unknown service {name!r}{meant}")

    def _remedies(self) -> str:
        """Return what each named service lacks, and which services have a URL and are not named."""
        lacks = [f"{name} needs {variables}" for name, variables in self.lacking.items()]
        unnamed = {
            name: variable
            for name, variable, _ in reversed(_CHATS)
            if not self._is_named(name) and self._read(variable)[0]
        }
        lacks += [f"{variable} is set, but {name} is not named: add it" for name, variable in unnamed.items()]
        return "; ".join(lacks) or "name a service of which the URL is set, for example slack"

    def _filtered(self, channels: Sequence[str], aliases: Sequence[str]) -> Sequence[Route]:
        """Return the routes of budget alerts if only keys with some aliases are for Slack."""
        others = tuple(name for name in channels if self.found.channels[name].kind != "slack")
        self.found.receivers[_WITHOUT_SLACK] = others
        return budget_routes(aliases, AlertType.BUDGET_ALERTS.value, _WITHOUT_SLACK if others else "")

    def _is_named(self, name: str) -> bool:
        return name in (self.config.alerting or ())

    def _may_speak(self, name: str) -> bool:
        return self.config.alerting is None or self._is_named(name)

    def _warn(self, text: str) -> None:
        self.found.warnings.append(text)

    def _read(self, variable: str) -> tuple[str | None, Place]:
        return self.sources.read_variable(variable)

    def _add(
        self, fields: Mapping[str, object], origin: Place, origins: Mapping[str, Place] | None = None
    ) -> list[str]:
        """Add a channel and return its name in a list, which is empty after a problem; ``origins`` are by field."""
        whole = complete(fields, self.config.allowed())
        model = CONFIGS[str(whole["kind"])]
        try:
            return [self.found.add(model.model_validate(whole), origin)]
        except ValidationError as error:
            for path, text in read_errors(error, model, whole).items():
                where = (origins or {}).get(str(path[0]), origin) if path else origin
                self.sources.problems.append(Problem(text, where))
            return []

    def _add_chat(self, url: str, origin: Place, *, kind: str = "slack", remedy: str) -> list[str]:
        """Add the chat of a URL; some vendors are known by it, whatever variable it stands in."""
        if is_relay(url):
            self.sources.problems.append(
                Problem(f"the URL is our own relay, so every alert would come back; {remedy}", origin)
            )
            return []
        vendor = recognize(url) or kind
        if vendor == "pagerduty":
            self.sources.problems.append(
                Problem(
                    "PagerDuty needs a routing key; add pagerduty to alerting and set PAGERDUTY_ROUTING_KEY", origin
                )
            )
            return []
        return self._add({"kind": vendor, "url": url}, origin)

    def _left_to_the_proxy(self, name: str) -> str:
        """Return how a variable of LiteLLM's is left to the proxy."""
        others = dict.fromkeys(self.config.alerting or (chat for chat, _, _ in _CHATS))
        rest = json.dumps([other for other in others if other != name])
        return f"leave it to the proxy and write alerting: {rest}, without {name}, under alertworker:"

    def _chats(self) -> list[str]:
        names: list[str] = []
        taken: set[str] = set()
        for name, variable, kind in _CHATS:
            if not self._may_speak(name) or (name == "slack" and name in taken):
                continue
            url, origin = self._read(variable)
            if not url:
                continue
            taken.add(name)
            self.sources.origins[f"default_{name}"] = KeyOrigin(str(origin))
            others = _LEFT if name == "slack" else self._left_to_the_proxy(name)
            names += self._add_chat(url, origin, kind=kind, remedy=_DIRECT if variable == _OURS else others)
        return names

    def _typed_urls(self) -> dict[str, tuple[str, ...]]:
        """Return the channels of each alert type that has URLs of its own."""
        remedy = f"{_DIRECT}, under alertworker: if LiteLLM's own URLs must stay"
        found = {}
        for alert_type, urls in self.config.alert_to_webhook_url.items():
            written = self.sources.values["alert_to_webhook_url"][alert_type.value]
            names: list[str] = []
            for index, url in enumerate(urls):
                item = (index,) if isinstance(written, list) else ()
                names += self._add_chat(
                    url, self.sources.where("alert_to_webhook_url", alert_type.value, *item), remedy=remedy
                )
            if names:
                found[alert_type.value] = tuple(dict.fromkeys(names))
        return found

    def _budget_webhook(self) -> list[str]:
        form = self.config.budget_webhook
        if not self._is_named("webhook"):
            if form is not None:
                where = self.sources.where("budget_webhook")
                self._warn(f"{where}: has no effect, because alerting does not name webhook; add webhook to alerting")
            return []
        url, origin = self._read("WEBHOOK_URL")
        if not url:
            self.lacking["webhook"] = "WEBHOOK_URL"
            return []
        self.sources.origins["webhook"] = KeyOrigin(str(origin))
        name = channel_name("budget_webhook", url)  # also in another form it is the same channel
        fields = {"kind": "budget_webhook", "name": name, "url": url}
        if is_relay(url):
            return self._add_chat(url, origin, remedy=self._left_to_the_proxy("webhook"))
        return self._add({**(form.model_dump(exclude_unset=True) if form else {}), **fields}, origin)

    def _mail(self) -> list[str]:
        """Read LiteLLM's ``SMTP_*``, and our own variable for the recipients: LiteLLM writes to users alone."""
        if not self._is_named("email"):
            return []
        read = {name: self._read(variable) for name, variable in _MAIL.items()}
        fields: dict[str, Any] = {name: value for name, (value, _) in read.items() if value}
        recipients = [part.strip() for part in fields.pop("recipients", "").split(",") if part.strip()]
        fields |= {"recipients": recipients} if recipients else {}
        missing = [_MAIL[name] for name in _MAIL_NEEDS if name not in fields]
        if missing:
            self.lacking["email"] = ", ".join(missing)
            return []
        if (self._read("SMTP_USE_SSL")[0] or "").lower() == "true":
            fields["tls"] = "tls"
        elif (self._read("SMTP_TLS")[0] or "").lower() == "false":
            fields["tls"] = "none"
        self.sources.origins["email"] = KeyOrigin(str(read["host"][1]))
        return self._add(
            {"kind": "email", **fields}, read["host"][1], {name: origin for name, (_, origin) in read.items()}
        )

    def _pager(self) -> list[str]:
        if not self._is_named("pagerduty"):
            return []
        for variable in ("PAGERDUTY_ROUTING_KEY", "PAGERDUTY_API_KEY"):
            key, origin = self._read(variable)
            if key:
                self.sources.origins["pagerduty"] = KeyOrigin(str(origin))
                return self._add({"kind": "pagerduty", "routing_key": key}, origin)
        self.lacking["pagerduty"] = "PAGERDUTY_ROUTING_KEY"
        return []

    def _paging(self, pager: list[str], routes: list[Route]) -> list[Route]:
        """Return the routes behind a route that pages for urgent alerts and then passes them on."""
        if not pager:
            return routes
        self.found.receivers["pagerduty"] = tuple(pager)
        return [Route(matchers=_URGENT, receiver="pagerduty", continues=True), *routes, Route(receiver=DEFAULT)]


def _typed_route(alert_type: str) -> Route:
    return Route(matchers=(Matcher("alert_type", "=", alert_type),), receiver=alert_type)
