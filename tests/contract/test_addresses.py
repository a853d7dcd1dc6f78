"""Which vendor an address belongs to."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from alertworker.channels import DiscordConfig, recognize


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://discord.com/api/webhooks/1/x/slack", "discord"),
        ("https://contoso.webhook.office.com/webhookb2/x", "ms_teams"),
        ("https://prod-12.westus.logic.azure.com:443/workflows/x", "ms_teams"),
        ("https://abc.environment.api.powerplatform.com/powerautomate/x", "ms_teams"),
        ("https://evil-discord.com/api/webhooks/1/x", None),
        ("https://mattermost.example/hooks/x", None),
        ("not an address", None),
        ("https://[broken", None),
    ],
)
def test_an_address_tells_its_vendor(url: str, kind: str | None) -> None:
    """By its host, and not by what only looks like it."""
    assert recognize(url) == kind


@pytest.mark.parametrize("end", ["", "/slack", "/slack/", "?thread_id=7", "/slack?thread_id=7"])
def test_discords_slack_address_is_its_own(end: str) -> None:
    """The same webhook, spoken to in Discord's own tongue; a thread stays one."""
    url = DiscordConfig(name="d", url=SecretStr(f"https://discord.com/api/webhooks/1/slack-token{end}")).url

    wanted = "https://discord.com/api/webhooks/1/slack-token" + ("?thread_id=7" if "?" in end else "")
    assert url.get_secret_value() == wanted
