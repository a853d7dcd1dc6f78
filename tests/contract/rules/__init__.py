"""What each vendor takes, by its published rules: a receiver that names every reason why it would refuse a message.

Lengths are in UTF-16 code units: whatever a vendor counts as a character, it counts no more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.contract.kinds import Sent
from tests.contract.rules import discord, email, pagerduty, slack, teams, text, webhooks

#: What a reader sees of it: without escapes, entities and markup.
SHOWN: Final[Mapping[str, Callable[[Sent], str]]] = {
    "apprise": lambda sent: sent.body,
    "budget_webhook": lambda sent: sent.body,
    "console": lambda sent: sent.body,
    "discord": discord.shown,
    "email": email.shown,
    "ms_teams": teams.shown,
    "pagerduty": lambda sent: sent.body,
    "slack": slack.shown,
    "webhook": lambda sent: sent.body,
}
RULES: Final[Mapping[str, Callable[[Sent], list[str]]]] = {
    "apprise": text.apprise,
    "budget_webhook": webhooks.budget,
    "console": text.console,
    "discord": discord.complaints,
    "email": email.complaints,
    "ms_teams": teams.complaints,
    "pagerduty": pagerduty.complaints,
    "slack": slack.complaints,
    "webhook": webhooks.standard,
}
