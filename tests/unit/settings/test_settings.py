"""LiteLLM's config.yaml as it is, our own section beside it, and the environment before both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertworker.alerts.catalogue import CATALOGUE, URGENT, AlertType
from alertworker.channels.budget_webhook import BudgetWebhookConfig
from alertworker.settings import ConfigurationError, Settings, load_settings
from alertworker.settings.channel_config import channel_name

HOOK = "https://hooks.slack.com/services/T000/B000/canary"
NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
OTHER = "https://hooks.slack.com/services/T111/B111/canary"


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Load a configuration from text."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_settings(environ=environ or {}, config=path)


def problems(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the report about a configuration that cannot work."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, environ)
    return str(caught.value)


def route(settings: Settings, alert_type: AlertType, **labels: str) -> tuple[str, ...]:
    """Name the channels that an alert of a type goes to."""
    return settings.router().decide(alert_type, {"alert_type": alert_type.value, **labels}, now=NOW).channels


def test_nothing_configured_goes_to_the_terminal(tmp_path: Path) -> None:
    """The defaults are the page's, and every type that is on by default has somewhere to go."""
    settings = load(tmp_path, "model_list: []\n")

    assert settings.alerting_threshold == 300
    assert route(settings, AlertType.LLM_EXCEPTIONS) == ("console",)
    assert settings.alert_types == {alert_type for alert_type, spec in CATALOGUE.items() if spec.on_by_default}


def test_slack_with_the_default_webhook(tmp_path: Path) -> None:
    """Every type goes there. The channel's name does not show its address."""
    settings = load(tmp_path, 'general_settings: {alerting: ["slack"]}', {"SLACK_WEBHOOK_URL": HOOK})

    [channel] = settings.channels
    assert channel.kind == "slack"
    assert route(settings, AlertType.LLM_TOO_SLOW) == (channel.name,)
    assert "canary" not in repr(settings)


def test_litellms_keys_can_be_overridden_for_us(tmp_path: Path) -> None:
    """Turning LiteLLM's alerting off does not turn ours off."""
    text = """
general_settings: {alerting: [], alerting_threshold: 600}
alertworker: {alerting: ["slack"], alerting_threshold: 5}
"""
    settings = load(tmp_path, text, {"SLACK_WEBHOOK_URL": HOOK})

    assert settings.alerting_threshold == 5
    assert route(settings, AlertType.LLM_TOO_SLOW) == (channel_name("slack", HOOK),)
    assert settings.origins["alerting_threshold"] == "config.yaml:3 alertworker.alerting_threshold"


def test_without_slack_in_alerting_slack_stays_silent(tmp_path: Path) -> None:
    """Also with its address set."""
    settings = load(tmp_path, 'general_settings: {alerting: ["webhook"]}', {"SLACK_WEBHOOK_URL": HOOK})

    assert settings.channels == ()
    assert route(settings, AlertType.LLM_EXCEPTIONS) == ()
    assert settings.warnings


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ('{alerting: ["webhook"]}', {}),
        ('{alerting: ["webhook"]}', {"SLACK_WEBHOOK_URL": HOOK}),
        ('{alerting: ["slack", "webhook"]}', {"SLACK_WEBHOOK_URL": HOOK}),
        (f'{{alerting: ["slack", "webhook"], alert_to_webhook_url: {{budget_alerts: "{OTHER}"}}}}', {}),
    ],
)
def test_the_budget_webhook_gets_budgets_beside_the_chats(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    """Only budgets go there, besides any chat. The address is not shown."""
    url = "https://receiver.example/canary"
    settings = load(tmp_path, f"general_settings: {text}", {"WEBHOOK_URL": url, **environ})
    name = channel_name("budget_webhook", url)
    chats = {channel.name for channel in settings.channels if channel.kind == "slack"}

    assert set(route(settings, AlertType.BUDGET_ALERTS)) == {name, *chats}
    assert name not in route(settings, AlertType.LLM_EXCEPTIONS)
    assert bool(chats) == ("slack" in text)
    assert "canary" not in repr(settings)


def test_the_budget_webhooks_form_is_a_setting(tmp_path: Path) -> None:
    """Without a receiver of one's own; the channel keeps its name, so what waits in its lane is not lost."""
    url = "https://receiver.example/canary"
    litellms = 'general_settings: {alerting: ["webhook"]}\n'
    ours = "alertworker: {budget_webhook: {format: litellm, spend_tracked: false}}"
    [plain] = load(tmp_path, litellms, {"WEBHOOK_URL": url}).channels
    [result] = load(tmp_path, litellms + ours, {"WEBHOOK_URL": url}).channels

    assert isinstance(plain, BudgetWebhookConfig)
    assert isinstance(result, BudgetWebhookConfig)
    assert (plain.name, plain.format, plain.spend_tracked) == (channel_name("budget_webhook", url), "page", True)
    assert (result.name, result.format, result.spend_tracked) == (plain.name, "litellm", False)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("{formt: litellm}", "did you mean format"),
        ("{format: slack}", "'page' or 'litellm'"),
        ("litellm", "must be a mapping"),
    ],
)
def test_an_invalid_budget_webhook_is_an_error_with_the_reason(tmp_path: Path, form: str, words: str) -> None:
    """The error does not have its URL."""
    text = f'general_settings: {{alerting: ["webhook"]}}\nalertworker: {{budget_webhook: {form}}}'
    reported = problems(tmp_path, text, {"WEBHOOK_URL": "https://receiver.example/canary"})

    assert words in reported
    assert "canary" not in reported


def test_a_form_of_no_budget_webhook_is_warned_of(tmp_path: Path) -> None:
    """It does nothing without the word in ``alerting``."""
    settings = load(tmp_path, "alertworker: {budget_webhook: {format: litellm}}")

    assert any("alerting does not name webhook" in warning for warning in settings.warnings)


def test_a_webhook_url_counts_only_where_it_is_named(tmp_path: Path) -> None:
    """Another program may own the variable. A name without a URL is a warning."""
    unnamed = load(tmp_path, "{}", {"WEBHOOK_URL": "https://receiver.example/x"})
    without = load(tmp_path, 'general_settings: {alerting: ["slack", "webhook"]}', {"SLACK_WEBHOOK_URL": HOOK})

    assert [channel.kind for channel in unnamed.channels] == ["console"]
    assert without.warnings == (
        "alerting names webhook, but WEBHOOK_URL is not set; set it, or remove webhook from alerting",
    )


def test_slack_without_an_address_goes_to_the_terminal_with_a_warning(tmp_path: Path) -> None:
    """A missing variable loses no alert, and the warning names it."""
    settings = load(tmp_path, 'general_settings: {alerting: ["slack"]}')

    assert route(settings, AlertType.LLM_EXCEPTIONS) == ("console",)
    assert "SLACK_WEBHOOK_URL" in settings.warnings[0]


def test_addresses_per_type(tmp_path: Path) -> None:
    """A type may have several URLs. Equal ones are one channel. Others go to the default, disabled types nowhere."""
    text = f"""
general_settings:
  alerting: ["slack"]
  alert_types: ["llm_exceptions", "llm_too_slow", "db_exceptions"]
  alert_to_webhook_url:
    llm_exceptions: ["{OTHER}", "os.environ/SECOND", "{OTHER}"]
    llm_too_slow: {OTHER}
"""
    settings = load(tmp_path, text, {"SLACK_WEBHOOK_URL": HOOK, "SECOND": HOOK})

    assert route(settings, AlertType.LLM_EXCEPTIONS) == (channel_name("slack", OTHER), channel_name("slack", HOOK))
    assert route(settings, AlertType.LLM_TOO_SLOW) == (channel_name("slack", OTHER),)
    assert route(settings, AlertType.DB_EXCEPTIONS) == (channel_name("slack", HOOK),)
    assert route(settings, AlertType.LLM_REQUESTS_HANGING) == ()
    assert route(settings, AlertType.PUBLISHER_LOST) == (channel_name("slack", HOOK),)
    assert len(settings.channels) == 2


def test_the_files_variables_override_the_environments(tmp_path: Path) -> None:
    """LiteLLM puts ``environment_variables`` into its environment, over what is there."""
    text = f'environment_variables: {{SLACK_WEBHOOK_URL: "{HOOK}"}}\ngeneral_settings: {{alerting: ["slack"]}}'

    assert load(tmp_path, text).channels[0].name == channel_name("slack", HOOK)
    assert load(tmp_path, text, {"SLACK_WEBHOOK_URL": OTHER}).channels[0].name == channel_name("slack", HOOK)
    in_file = {"SLACK_WEBHOOK_URL_FILE": str(tmp_path / "absent")}
    assert load(tmp_path, text, in_file).channels[0].name == channel_name("slack", HOOK)


def test_secrets_may_stand_in_files(tmp_path: Path) -> None:
    """``NAME_FILE`` names the file that holds NAME."""
    (tmp_path / "hook").write_text(f"{HOOK}\n")
    (tmp_path / "broker").write_text("redis://:password@broker:6379/0\n")
    environ = {
        "SLACK_WEBHOOK_URL_FILE": str(tmp_path / "hook"),
        "ALERTWORKER_BROKER_URL_FILE": str(tmp_path / "broker"),
    }
    settings = load(tmp_path, 'general_settings: {alerting: ["slack"]}', environ)

    assert settings.channels[0].name == channel_name("slack", HOOK)
    assert settings.broker_url is not None
    assert settings.broker_url.get_secret_value() == "redis://:password@broker:6379/0"
    assert "password" not in repr(settings)


def test_digest_is_another_interval(tmp_path: Path) -> None:
    """LiteLLM's ``alert_type_config`` sets it per type."""
    text = """
general_settings:
  alert_type_config:
    llm_too_slow: {digest: true, digest_interval: 3600}
    llm_exceptions: {digest: false, digest_interval: 3600}
alertworker: {group_interval: 60}
"""
    settings = load(tmp_path, text)

    assert settings.router().decide(AlertType.LLM_TOO_SLOW, {}, now=NOW).group_interval == 3_600
    assert settings.router().decide(AlertType.LLM_EXCEPTIONS, {}, now=NOW).group_interval == 60


def test_every_row_of_alerting_args_is_read(tmp_path: Path) -> None:
    """The page's example, with other values than the defaults."""
    text = """
general_settings:
  alerting_args:
    daily_report_frequency: 1
    report_check_interval: 2
    budget_alert_ttl: 3
    outage_alert_ttl: 4
    region_outage_alert_ttl: 5
    minor_outage_alert_threshold: 6
    major_outage_alert_threshold: 7
    max_outage_alert_list_size: 8
    log_to_console: true
"""
    assert list(load(tmp_path, text).alerting_args.model_dump().values())[:9] == [1, 2, 3, 4, 5, 6, 7, 8, True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "alertworker: {alerting_treshold: 3}",
            ["config.yaml:1", "alerting_treshold", "did you mean alerting_threshold"],
        ),
        ("alertworker: {alert_types: [llm_exception]}", ["llm_exception", "did you mean llm_exceptions"]),
        ("general_settings: {alerting_threshold: soon}", ["config.yaml:1 general_settings.alerting_threshold"]),
        ("alertworker: {alerting_threshold: -1}", ["greater than 0"]),
        ("general_settings: {spend_report_frequency: 7h}", ["spend_report_frequency"]),
        ("alertworker: {time_zone: Europe/Atlantis}", ["unknown time zone 'Europe/Atlantis'", "Europe/Berlin"]),
        ("alertworker: [1]", ["config.yaml:1 alertworker: must be a mapping, not list"]),
        ("alertworker: {receivers: [{name: a, channels: [b]}]}", ["channels[0]: must be a mapping, not str"]),
        ("general_settings: {alerting: [slack]\n", ["invalid YAML"]),
        (
            "general_settings: {alerting: [slack], alert_to_webhook_url: {llm_exceptions: os.environ/NOT_THERE}}",
            ["llm_exceptions", "NOT_THERE", "set it, or remove this line"],
        ),
        ("general_settings: {alerting: [slack], alert_to_webhook_url: {llm_exceptions: 7}}", ["not int"]),
    ],
)
def test_bad_input_is_named_with_its_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    """Field, place and what to do are in the error."""
    reported = problems(tmp_path, text)

    assert all(word in reported for word in words), reported


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """All problems are reported at once, and no secret is repeated."""
    text = f"""
general_settings: {{alerting: [slack], alerting_threshold: x}}
alertworker: {{unknown: 1, alert_types: [nonsense], broker_url: ["{HOOK}"]}}
"""
    reported = problems(tmp_path, text)

    assert len(reported.splitlines()) == 4
    assert "canary" not in reported


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """The defaults may be absent, a named one may not."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(environ={"ALERTWORKER_CONFIG": str(tmp_path / "none.yaml")})


def test_litellms_other_keys_are_ignored(tmp_path: Path) -> None:
    """Its file works as it is."""
    text = """
model_list: [{model_name: gpt-4, litellm_params: {model: openai/fake}}]
general_settings: {master_key: sk-1234, database_url: os.environ/NOT_OURS, whatever: 1}
litellm_settings: {success_callback: ["langfuse"]}
router_settings: {num_retries: 2}
"""
    assert load(tmp_path, text).alerting_threshold == 300


ROUTES = f"""
alertworker:
  receivers:
    - name: oncall
      channels:
        - {{kind: pagerduty, routing_key: os.environ/PD_KEY}}
        - {{url: "{OTHER}"}}
    - name: search
      channels: [{{kind: slack, name: slack-search, url: "{HOOK}"}}]
  time_intervals:
    - name: nights
      time_intervals:
        - times: [{{start_time: "20:00", end_time: "24:00"}}]
          weekdays: ["monday:friday"]
          days_of_month: ["1:-1"]
          months: [1, "february:12"]
          years: [2026, "2027:2099"]
  route:
    receiver: default
    routes:
      - {{matchers: ['severity="High"'], receiver: oncall, continue: true}}
      - {{matchers: ['team=~"search|ranking"'], receiver: search, mute_time_intervals: [nights], group_interval: 60}}
  inhibitions:
    - {{source: ['alert_type="publisher_lost"'], target: ['alert_type="llm_requests_hanging"']}}
"""


def test_no_warning_of_missing_channels_if_a_route_has_one(tmp_path: Path) -> None:
    """LiteLLM's words name no chat; ours do."""
    words = 'general_settings: {alerting: ["webhook"]}\n'
    own = f"alertworker: {{receivers: [{{name: r, channels: [{{url: '{HOOK}'}}]}}], route: {{receiver: r}}}}\n"

    assert any("no alert will be sent" in warning for warning in load(tmp_path, words).warnings)
    assert not any("no alert will be sent" in warning for warning in load(tmp_path, words + own).warnings)


def test_receivers_and_routes_of_our_own(tmp_path: Path) -> None:
    """They take the place of LiteLLM's tree, whose default receiver can be named in it."""
    settings = load(tmp_path, ROUTES, {"PD_KEY": "canary", "SLACK_WEBHOOK_URL": HOOK + "/2"})

    default = channel_name("slack", HOOK + "/2")
    assert route(settings, AlertType.LLM_TOO_SLOW) == (default,)
    names = route(settings, AlertType.LLM_EXCEPTIONS, severity="High", team="search")
    assert [name.rpartition("-")[0] for name in names] == ["pagerduty", "slack", "slack"]
    assert names[2] == "slack-search"
    assert len(settings.inhibitions) == 1
    assert "canary" not in repr(settings)


def test_other_chats_have_variables_of_their_own(tmp_path: Path) -> None:
    """A Teams address is known as one, also in Slack's variable. ``alerting`` selects the chats."""
    teams = "https://prod-1.westus.logic.azure.com/workflows/x"
    both = {"SLACK_WEBHOOK_URL": HOOK, "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x"}

    assert [c.kind for c in load(tmp_path, "{}", {"SLACK_WEBHOOK_URL": teams}).channels] == ["ms_teams"]
    assert [c.kind for c in load(tmp_path, "{}", both).channels] == ["slack", "discord"]
    only = load(tmp_path, 'general_settings: {alerting: ["discord"]}', both)
    assert [c.kind for c in only.channels] == ["discord"]


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            "receivers: [{name: a, channels: [{kind: slak, url: x}]}]",
            ["receivers[0].channels[0]", "unknown kind 'slak'; did you mean slack"],
        ),
        ("receivers: [{name: a, channels: [{kind: slack}]}]", ["channels[0].url", "this key is required"]),
        ("receivers: [{channels: []}]", ["receivers[0].name", "this key is required"]),
        ("receivers: {a: b}", ["must be a list, not dict"]),
        ("route: {receiver: oncal}", ["route.receiver", "unknown receiver 'oncal'"]),
        ("route: {recever: default}", ["unknown key", "did you mean receiver"]),
        ("route: {receiver: default, routes: [{matchers: ['team']}]}", ["routes[0].matchers[0]", "invalid matcher"]),
        ("route: {receiver: default, group_interval: soon}", ["group_interval", "must be a number of seconds"]),
        (
            "route: {receiver: default, mute_time_intervals: [nights]}",
            ["mute_time_intervals[0]", "unknown time interval 'nights'"],
        ),
        (
            "time_intervals: [{name: n, time_intervals: [{times: [{start_time: 9, end_time: x}]}]}]",
            ["start_time: must be a string, not int", '"09:00"'],
        ),
        (
            'time_intervals: [{name: n, time_intervals: [{times: [{start_time: "20:00", end_time: "08:00"}]}]}]',
            ["time_intervals[0]", "ends before it starts", "write two ranges"],
        ),
        (
            "time_intervals: [{name: n, time_intervals: [{times: [{start: x}]}]}]",
            ["times[0]", "unknown key; did you mean start_time"],
        ),
        (
            "time_intervals: [{name: n, time_intervals: [{weekdays: [funday]}]}]",
            ["weekdays[0]: invalid weekdays 'funday'", "monday:friday"],
        ),
        ("time_intervals: [{name: n}, {name: n}]", ["time_intervals[1].name", "another entry named 'n'"]),
        ("time_intervals: [{time_intervals: []}]", ["time_intervals[0].name", "this key is required"]),
        ("receivers: [{name: a}, {name: a}]", ["receivers[1].name", "another entry named 'a'", "rename one"]),
        (
            "receivers: [{name: a, channels: [{kind: console, name: [1]}]}]",
            ["receivers[0].channels[0].name", "must be a string, not list"],
        ),
        ("route: {receiver: [default]}", ["route.receiver", "must be a string, not list"]),
        (
            "route: {receiver: default, matchers: ['team=\"a\"']}",
            ["route.matchers", "the root route takes every alert", "move the matchers to a route"],
        ),
        (
            "route: {routes: [{receiver: default}]}",
            ["route.receiver", "this key is required", '"default" is the chats', '"" sends nothing'],
        ),
        ("time_intervals: [{name: n, time_intervals: [{location: Mars/Olympus}]}]", ["Mars/Olympus"]),
        ("inhibitions: [{source: ['a=\"b\"']}]", ["inhibitions[0].target: this key is required"]),
    ],
)
def test_a_mistake_in_routes_is_named_with_its_place(tmp_path: Path, own: str, words: list[str]) -> None:
    """Down to the item of a list."""
    reported = problems(tmp_path, f"alertworker:\n  {own}\n")

    assert all(word in reported for word in words), reported


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        ('team=~"(?!test).*"', ["look-ahead", "second matcher with !~"]),
        ('team=~"(a)\\1"', ["back references", "write the alternatives out"]),
        ('team=~"(a{1000}){1000}"', ["at most 1,000 times"]),
    ],
)
def test_an_expression_that_re2_does_not_run_is_named_with_its_place(
    tmp_path: Path, matcher: str, words: list[str]
) -> None:
    """File, line, the expression and what to write instead, in routes and in inhibitions."""
    own = f"""
alertworker:
  route: {{receiver: default, routes: [{{matchers: ['{matcher}']}}]}}
  inhibitions: [{{source: ['{matcher}'], target: ['severity="Low"']}}]
"""
    reported = problems(tmp_path, own).splitlines()

    assert len(reported) == 2
    for line, where in zip(reported, (":3 alertworker.route", ":4 alertworker.inhibitions"), strict=True):
        assert all(word in line for word in [*words, matcher, where]), line


def test_a_list_of_matchers_may_stand_in_one_string(tmp_path: Path) -> None:
    """Alertmanager accepts it, too. If YAML took its braces for a mapping, the error has a remedy."""
    both = "route: {receiver: default, routes: [{matchers: ['{team=\"a\", severity=High,}', 'region!=\"eu\"']}]}"
    [route] = load(tmp_path, f"alertworker:\n  {both}\n").tree.routes
    assert list(map(str, route.matchers)) == ['team="a"', 'severity="High"', 'region!="eu"']

    braces = "route: {receiver: default, routes: [{matchers: [{team: a}]}]}"
    assert "must be a string" in problems(tmp_path, f"alertworker:\n  {braces}\n")


def test_labels_and_values_that_no_alert_has_are_warned_about(tmp_path: Path) -> None:
    """The warning has the place and the nearest name, and the worker starts."""
    text = """
alertworker:
  route:
    receiver: default
    routes:
      - {matchers: ['sevrity="High"', 'alert_type="budget_alert"']}
  inhibitions:
    - {source: ['severity="high"'], target: ['severity="Low"'], equal: [deploymnt, region]}
"""
    warnings = load(tmp_path, text).warnings

    assert len(warnings) == 4
    expected = [
        ("routes[0].matchers[0]", "did you mean severity?"),
        ("routes[0].matchers[1]", "did you mean budget_alerts?"),
        ("inhibitions[0].source[0]", "did you mean High?"),
        ("inhibitions[0].equal[0]", "did you mean deployment?"),
    ]
    for warning, words in zip(warnings, expected, strict=True):
        assert all(word in warning for word in words), warning


def test_networks_of_ours_may_be_sent_to(tmp_path: Path) -> None:
    """This holds for every channel. Without it such an address is refused, and the error does not name it."""
    text = """
alertworker:
  allowed_networks: ["10.0.0.0/8"]
  receivers: [{name: chat, channels: [{kind: slack, url: "http://10.1.2.3/hook"}]}]
"""
    settings = load(tmp_path, text)
    assert [str(network) for network in settings.allowed_networks] == ["10.0.0.0/8"]

    result = problems(tmp_path, text.replace("10.1.2.3", "192.168.7.7"))
    assert "url" in result
    assert "allowed_networks" in result
    assert "192.168.7.7" not in result
    assert "allowed_networks" in problems(tmp_path, text.replace("10.0.0.0/8", "10.0.0.1/8"))


def test_hosts_of_ours_may_be_sent_to(tmp_path: Path) -> None:
    """This holds for every channel and the dead man's switch. Only names are hosts."""
    text = """
alertworker:
  allowed_hosts: [Chat.corp]
  receivers: [{name: chat, channels: [{kind: slack, url: "http://chat.corp/hook"}]}]
"""
    assert load(tmp_path, text).allowed_hosts == ("chat.corp",)
    assert "url" in problems(tmp_path, text.replace("//chat.corp", "//other.corp"))
    assert "allowed_networks" in problems(tmp_path, text.replace("Chat.corp", "10.1.2.3"))


SMTP = {
    "SMTP_HOST": "mail.example",
    "SMTP_SENDER_EMAIL": "alerts@example.com",
    "SMTP_PASSWORD": "canary",
    "SMTP_USERNAME": "u",
    "ALERTWORKER_EMAIL_RECIPIENTS": "ops@example.com, team@example.com",
}


def test_mail_by_litellms_variables(tmp_path: Path) -> None:
    """``alerting`` must name mail. TLS follows LiteLLM's values. An error names what is missing, never the password."""
    text = 'general_settings: {alerting: ["email"]}'
    settings = load(tmp_path, text, SMTP)
    [mail] = settings.channels
    assert (mail.kind, getattr(mail, "port", 0), getattr(mail, "tls", "")) == ("email", 587, "starttls")
    assert getattr(mail, "recipients", ()) == ("ops@example.com", "team@example.com")
    assert route(settings, AlertType.LLM_EXCEPTIONS) == (mail.name,)
    assert "canary" not in repr(settings)

    [mail] = load(tmp_path, text, SMTP | {"SMTP_USE_SSL": "True", "SMTP_PORT": "465"}).channels
    assert (getattr(mail, "port", 0), getattr(mail, "tls", "")) == (465, "tls")
    del_recipients = {name: value for name, value in SMTP.items() if "RECIPIENTS" not in name}
    assert any("ALERTWORKER_EMAIL_RECIPIENTS" in warning for warning in load(tmp_path, text, del_recipients).warnings)
    assert load(tmp_path, 'general_settings: {alerting: ["slack"]}', SMTP).channels[0].kind == "console"


def test_only_urgent_conditions_page(tmp_path: Path) -> None:
    """Beside the chat that the alert's type has, or the default one; both of PagerDuty's variables are known."""
    text = f"""
general_settings:
  alerting: [slack, pagerduty]
  alert_to_webhook_url: {{outage_alerts: "{OTHER}"}}
"""
    for variable in ("PAGERDUTY_ROUTING_KEY", "PAGERDUTY_API_KEY"):
        settings = load(tmp_path, text, {"SLACK_WEBHOOK_URL": HOOK, variable: "canary"})
        pager = channel_name("pagerduty", "[('routing_key', 'canary')]")
        chat, typed = channel_name("slack", HOOK), channel_name("slack", OTHER)
        paging = {alert_type for alert_type in AlertType if pager in route(settings, alert_type, severity="High")}
        assert paging == URGENT
        assert route(settings, AlertType.OUTAGE_ALERTS, severity="High") == (pager, typed)
        assert route(settings, AlertType.CHANNEL_BROKEN, severity="High") == (pager, chat)
        assert route(settings, AlertType.OUTAGE_ALERTS, severity="Medium") == (typed,)
        assert route(settings, AlertType.BUDGET_ALERTS, severity="High") == (chat,)
        assert route(settings, AlertType.OUTAGE_ALERTS, severity="High", relayed_from="litellm") == (typed,)
    assert any("PAGERDUTY_ROUTING_KEY" in warning for warning in load(tmp_path, text).warnings)


def test_a_pager_alone_is_a_channel(tmp_path: Path) -> None:
    text = "general_settings: {alerting: [pagerduty]}"
    no_channel = "no alert will be sent; pagerduty needs PAGERDUTY_ROUTING_KEY"
    warned = load(tmp_path, text, {"PAGERDUTY_ROUTING_KEY": "canary"}).warnings
    assert not any(no_channel in warning for warning in warned)
    assert any(no_channel in warning for warning in load(tmp_path, text).warnings)


@pytest.mark.parametrize(
    ("own", "zone", "origin"),
    [
        ("", "America/New_York", "litellm.yaml:1 litellm_settings.timezone"),
        ("alertworker: {time_zone: Europe/Berlin}\n", "Europe/Berlin", "litellm.yaml:2 alertworker.time_zone"),
    ],
)
def test_days_begin_where_litellm_resets_budgets_unless_configured(
    tmp_path: Path, own: str, zone: str, origin: str
) -> None:
    """LiteLLM's word for it stands in another section."""
    path = tmp_path / "litellm.yaml"
    path.write_text(f"litellm_settings: {{timezone: America/New_York}}\n{own}")
    settings = load_settings(environ={}, config=path)

    assert (settings.time_zone, settings.origins["time_zone"]) == (zone, origin)
