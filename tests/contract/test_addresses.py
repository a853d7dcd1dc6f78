"""The vendor that a URL belongs to."""

from __future__ import annotations

import pytest

from alertworker.channels import recognize


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("slack", "https://hooks.slack.com/services/T0/B0/x"),
        ("slack", "https://hooks.slack-gov.com/services/T0/B0/x"),
        ("slack", "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"),
        ("pagerduty", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("discord", "https://discord.com/api/webhooks/1/x"),
        ("discord", "https://discord.com/api/webhooks/1/x/slack"),
        ("ms_teams", "https://contoso.webhook.office.com/webhookb2/x"),
        ("ms_teams", "https://prod-12.westus.logic.azure.com:443/workflows/x"),
        ("ms_teams", "https://abc.environment.api.powerplatform.com/powerautomate/x"),
        (None, "https://evil-discord.com/api/webhooks/1/x"),
        (None, "https://mattermost.example/hooks/x"),
        (None, "not an address"),
        (None, "https://[broken"),
    ],
)
def test_a_url_shows_its_vendor(kind: str | None, url: str) -> None:
    """The host decides, and not a string that only looks like it."""
    assert recognize(url) == kind
