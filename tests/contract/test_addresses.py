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


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        ("", "?wait=true"),
        ("/slack", "?wait=true"),
        ("/slack/", "?wait=true"),
        ("?thread_id=7", "?thread_id=7&wait=true"),
        ("/slack?wait=false&thread_id=7", "?wait=true&thread_id=7"),
    ],
)
def test_discord_is_spoken_to_in_its_own_form_and_confirms(end: str, wanted: str) -> None:
    """Its address for Slack's form is the same webhook; a thread stays one; a message that is not saved is an error."""
    address = "https://discord.com/api/webhooks/1/slack-token"

    assert DiscordConfig(name="d", url=SecretStr(address + end)).url.get_secret_value() == address + wanted
