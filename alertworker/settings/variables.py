"""Every variable of the environment that is read, with its meaning. docs/configuration.md has the same table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertworker.settings.model import Settings
from alertworker.settings.values import ENVIRONMENT

#: Keys of the configuration that the environment has as ``ALERTWORKER_<KEY>``.
KEYS: Final = tuple(name for name, key in Settings.model_fields.items() if ENVIRONMENT in key.metadata)
_MAIL: Final = "E-mail, if `alerting` includes `email`: "
#: Variables without a key in the configuration.
_OTHERS: Final[Mapping[str, str]] = {
    "ALERTWORKER_CONFIG": "The configuration file. Default: `alertworker.yaml`, else `config.yaml`.",
    "ALERTWORKER_EMAIL_RECIPIENTS": f"{_MAIL}addresses of the recipients, separated by commas.",
    "ALERTWORKER_METADATA_KEYS": "The key `metadata_keys` for the callback, separated by commas.",
    "ALERTWORKER_PUBLISH_URL": "For publishers: URL of `alertworker web`, to send there instead of to the broker.",
    "ALERTWORKER_SLACK_WEBHOOK_URL": (
        "The default Slack webhook, if `SLACK_WEBHOOK_URL` points the proxy at our relay. Our own relay is refused as "
        "a destination. To ignore the other channel variables of the proxy, set `alerting` under `alertworker:`."
    ),
    "ALERTING_WEBHOOK_URL": "Read if `SLACK_WEBHOOK_URL` is not set.",
    "DISCORD_WEBHOOK_URL": "The webhook of Discord, if `alerting` includes `discord` or is not set.",
    "FORWARDED_ALLOW_IPS": "Read by `alertworker web` if `trusted_proxies` is not set.",
    "LITELLM_DATABASE_URL": "URL of LiteLLM's PostgreSQL database, for `spend import` and `spend reconcile`.",
    "MS_TEAMS_WEBHOOK_URL": "The webhook of Microsoft Teams, if `alerting` includes `ms_teams` or is not set.",
    "PAGERDUTY_API_KEY": "Read if `PAGERDUTY_ROUTING_KEY` is not set.",
    "PAGERDUTY_ROUTING_KEY": (
        "[PagerDuty](channels.md#pagerduty), if `alerting` includes `pagerduty`. Outages, broken channels and an "
        "unavailable database open incidents at severity High."
    ),
    "PROXY_BASE_URL": "The proxy's URL, shown in messages.",
    "SLACK_DAILY_REPORT_FREQUENCY": "The default of `alerting_args.daily_report_frequency`.",
    "SLACK_WEBHOOK_URL": "The default webhook. The URL determines its vendor.",
    "SMTP_HOST": f"{_MAIL}host name of the mail server.",
    "SMTP_PASSWORD": f"{_MAIL}password at the mail server.",
    "SMTP_PORT": f"{_MAIL}port of the mail server. Default: 587.",
    "SMTP_SENDER_EMAIL": f"{_MAIL}address of the sender.",
    "SMTP_TLS": f"{_MAIL}`false` sends without STARTTLS, to this host and private networks only.",
    "SMTP_USERNAME": f"{_MAIL}user name at the mail server.",
    "SMTP_USE_SSL": f"{_MAIL}`true` encrypts from the start, usually on port 465.",
    "WEBHOOK_URL": "The budget webhook, if `alerting` includes `webhook`.",
}
#: Variables whose value cannot be in the file of ``<NAME>_FILE``.
PLAIN: Final = frozenset(
    {
        "ALERTWORKER_CONFIG",
        "ALERTWORKER_METADATA_KEYS",
        "ALERTWORKER_PUBLISH_URL",
        "FORWARDED_ALLOW_IPS",
        "LITELLM_DATABASE_URL",
        "PROXY_BASE_URL",
    }
)
#: All variables, each with its meaning.
VARIABLES: Final[Mapping[str, str]] = {
    **{f"ALERTWORKER_{key.upper()}": Settings.model_fields[key].description or "" for key in KEYS},
    **_OTHERS,
}


def table() -> str:
    """Return the table of all variables in Markdown: ours, then LiteLLM's."""
    ordered = sorted(VARIABLES, key=lambda name: (not name.startswith("ALERTWORKER_"), name))
    rows = (
        f"| `{name}` | {'' if name in PLAIN else 'yes'} | {VARIABLES[name].replace('|', chr(92) + '|')} |"
        for name in ordered
    )
    return "\n".join(["| variable | `…_FILE` | meaning |", "|---|---|---|", *(" ".join(row.split()) for row in rows)])
