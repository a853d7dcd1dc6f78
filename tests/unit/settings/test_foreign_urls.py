"""URLs of vendors that take another form of message are refused with what to use instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.test_settings import load, problems

FOREIGN = [
    ("https://open.feishu.cn/open-apis/bot/v2/hook/canary", "feishu://TOKEN"),
    ("https://open.larksuite.com/open-apis/bot/v2/hook/canary", "lark://TOKEN"),
    ("https://oapi.dingtalk.com/robot/send?access_token=canary", "dingtalk://ACCESS_TOKEN"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=canary", "wecombot://KEY"),
    ("https://api.telegram.org/botcanary/sendMessage", "tgram://"),
    ("https://acme.zulipchat.com/api/v1/external/slack?api_key=canary", "zulip://"),
]


@pytest.mark.parametrize(("url", "remedy"), FOREIGN)
@pytest.mark.parametrize("variable", ["SLACK_WEBHOOK_URL", "MS_TEAMS_WEBHOOK_URL", "DISCORD_WEBHOOK_URL"])
def test_a_variable_with_another_vendors_url_is_an_error(tmp_path: Path, variable: str, url: str, remedy: str) -> None:
    """These vendors answer 200 and show nothing."""
    problem = problems(tmp_path, "general_settings: {alerting: [slack, ms_teams, discord]}", {variable: url})
    assert f"environment {variable}: " in problem
    assert f"use a channel with kind: apprise and url: {remedy}" in problem
    assert "canary" not in problem


@pytest.mark.parametrize("kind", ["slack", "webhook", "ms_teams"])
def test_a_receiver_with_another_vendors_url_is_an_error(tmp_path: Path, kind: str) -> None:
    url = FOREIGN[0][0]
    text = (
        f"alertworker: {{receivers: [{{name: x, channels: [{{kind: {kind}, url: '{url}'}}]}}], route: {{receiver: x}}}}"
    )
    problem = problems(tmp_path, text)
    assert "config.yaml:1 alertworker.receivers[0].channels[0].url: Feishu takes another form of message" in problem


@pytest.mark.parametrize(
    ("kind", "url", "wanted"),
    [
        ("slack", "https://discord.com/api/webhooks/1/x", "discord"),
        ("slack", "https://contoso.webhook.office.com/webhookb2/x", "ms_teams"),
        ("discord", "https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("ms_teams", "https://chat.googleapis.com/v1/spaces/A/messages", "slack"),
    ],
)
def test_a_kind_that_is_not_the_urls_is_an_error(tmp_path: Path, kind: str, url: str, wanted: str) -> None:
    text = (
        f"alertworker: {{receivers: [{{name: x, channels: [{{kind: {kind}, url: '{url}'}}]}}], route: {{receiver: x}}}}"
    )
    assert f"channels[0].kind: the URL belongs to another vendor; write kind: {wanted}" in problems(tmp_path, text)


def test_a_pagers_url_in_a_chats_variable_names_the_right_variable(tmp_path: Path) -> None:
    url = "https://events.pagerduty.com/v2/enqueue"
    problem = problems(tmp_path, "general_settings: {alerting: [slack]}", {"SLACK_WEBHOOK_URL": url})
    assert "environment SLACK_WEBHOOK_URL: PagerDuty needs a routing key" in problem
    assert "PAGERDUTY_ROUTING_KEY" in problem


def test_google_chat_is_a_channel_of_slacks_variable(tmp_path: Path) -> None:
    """LiteLLM's own messages arrive there, too."""
    url = "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"
    (channel,) = load(tmp_path, "general_settings: {alerting: [slack]}", {"SLACK_WEBHOOK_URL": url}).channels
    assert channel.kind == "slack"


def test_mattermost_on_a_host_of_ones_own_is_a_channel_of_slacks_variable(tmp_path: Path) -> None:
    """It accepts Slack's form, and no host name shows that it is Mattermost."""
    url = "https://chat.example.com/hooks/xxxgeneratedkeyxxx"
    (channel,) = load(tmp_path, "general_settings: {alerting: [slack]}", {"SLACK_WEBHOOK_URL": url}).channels
    assert channel.kind == "slack"


def test_the_error_for_mail_without_tls_names_the_remedies(tmp_path: Path) -> None:
    mail = {
        "SMTP_HOST": "smtp.example.com",
        "SMTP_SENDER_EMAIL": "a@example.com",
        "ALERTWORKER_EMAIL_RECIPIENTS": "b@example.com",
        "SMTP_TLS": "False",
    }
    problem = problems(tmp_path, "general_settings: {alerting: [email]}", mail)
    assert all(remedy in problem for remedy in ("SMTP_TLS=true", "SMTP_USE_SSL=true", "allowed_networks"))
