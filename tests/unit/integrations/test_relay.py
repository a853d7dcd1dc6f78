"""LiteLLM's own alerts are read back from their texts; nothing it says is lost, and no secret or prompt comes along."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import EVENT, Action, AlertRelayed, BudgetReported, BudgetScope, Entity, EntityChanged, Event
from alertworker.integrations.litellm.admin_alerts import MANAGEMENT
from alertworker.integrations.litellm.relay import RelayError, read_slack, read_webhook

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
KEY = "sk-live0123456789abcdefghij"


def read(text: str, *, named: str | None = None, show_messages: bool = False) -> Event:
    """Read a text as Slack's webhook would get it."""
    return read_slack(json.dumps({"text": text}).encode(), now=NOW, named=named, host="p1", show_messages=show_messages)


def relayed(text: str, *, named: str | None = None, show_messages: bool = False) -> AlertRelayed:
    """Read a text that is not about a change of an entity."""
    event = read(text, named=named, show_messages=show_messages)
    assert isinstance(event, AlertRelayed)
    return event


def test_a_plain_alert_gives_type_level_headline_facts_metadata_and_count() -> None:
    """Everything stands in its field, and LiteLLM's own markup is gone."""
    event = relayed(
        "[Num Alerts: 3]\n\nAlert type: `llm_too_slow`\nLevel: `Low`\nTimestamp: `14:02:11`\n\n"
        "Message: `Responses are slow - 9.1s response time > Alerting threshold: 3s`\nRequest Model: `gpt-4o`\n"
        "API Base: `https://eu.example`\n\n*Alerting Metadata*: \nticket: `T-17`\n\n\n\nProxy URL: `https://p.example`"
    )

    assert (event.alert_type, event.level, event.count) == ("llm_too_slow", "Low", 3)
    assert event.headline == "Responses are slow - 9.1s response time > Alerting threshold: 3s"
    assert event.facts == {"Request Model": "gpt-4o", "API Base": "https://eu.example"}
    assert event.metadata == {"ticket": "T-17"}
    assert event.text == ""
    assert event.source_host == "p1"


def test_a_digest_has_its_count_between_its_times() -> None:
    """The alerts that LiteLLM merged count, too."""
    event = relayed(
        "[Num Alerts: 2]\n\nAlert type: `llm_requests_hanging` (Digest)\nLevel: `Medium`\n"
        "Start: `2026-11-23 10:00:00`\nEnd: `2026-11-23 14:00:00`\nCount: `41`\n\n"
        "Message: `Requests are hanging - 300s+ request time`"
    )

    assert event.count == 82
    assert event.digest_from == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert event.digest_until == datetime(2026, 11, 23, 14, tzinfo=UTC)


def test_reports_have_no_level_and_keep_their_numbers() -> None:
    """The daily report begins right after its type."""
    event = relayed(
        "Alert type: `daily_reports`\n\nTime: `1764`s\nHere are today's key metrics 📈: \n\n"
        "\t1. Deployment: `m`, Latency per output token: `0.5`s/token,  API Base: `b`\n"
    )

    assert event.alert_type == "daily_reports"
    assert event.level is None
    assert "Latency per output token: `0.5`s/token" in event.text


def test_a_region_that_fails_becomes_a_region_outage() -> None:
    """LiteLLM sends it as an outage of a deployment."""
    event = relayed(
        "Alert type: `outage_alerts`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: \n\n\n*⚠️ Major Service Outage*"
        "\n\n\n*Region Name:* `eu`\n*Provider:* `azure`\n\n\n*Errors:*\n\nAPI Errors: 10\n\n"
    )

    assert event.alert_type == "region_outage_alerts"
    assert event.headline == "⚠️ Major Service Outage"
    assert event.facts["Region Name"] == "eu"


def test_a_text_of_no_known_form_is_an_alert_of_unknown_type() -> None:
    """No text is lost, not even an empty one."""
    assert relayed("what is this?").alert_type == "unknown"
    assert relayed("what is this?").headline == "what is this?"
    assert relayed("").headline
    assert relayed("what is this?", named="db_exceptions").alert_type == "db_exceptions"


@pytest.mark.parametrize(
    "excerpt",
    [
        "[{'role': 'user', 'content': 'my private words'}]",
        "my private words\ndeployment: `my private words`\nmy private words",
    ],
)
def test_the_callers_messages_stay_out(excerpt: str) -> None:
    """Also where they look like lines of LiteLLM's; with the switch on they come along."""
    text = (
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\n"
        "Message: LLM API call failed: `boom my private words\n"
        f"Model: gpt-4o\nMessages: `{excerpt}`\nmodel_group: `gpt-4o`\n\n`"
    )

    event = relayed(text)

    assert "private" not in event.model_dump_json()
    assert event.facts["Model"] == "gpt-4o"
    assert "private" in relayed(text, show_messages=True).model_dump_json()


def test_a_change_of_a_key_names_fields_and_never_the_key() -> None:
    """The key is its hash, as LiteLLM itself stores it."""
    event = read(
        "Alert type: `virtual_key_updated`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: `Virtual Key Updated`\n"
        "*Action Done by:*\ncreated_by_user_id: `admin`\ncreated_by_user_role: `proxy_admin`\n"
        f"created_by_key_alias: `None`\n\n*Arguments passed:*\ndata: `key='{KEY}' max_budget=20.0 models=['gpt-4o'] "
        "metadata={'token': 'abc'} team_id=None`\nlitellm_changed_by: `None`\n"
    )

    assert isinstance(event, EntityChanged)
    assert (event.entity, event.action) == (Entity.KEY, Action.UPDATED)
    assert (event.actor_id, event.actor_role, event.actor_key_alias) == ("admin", "proxy_admin", None)
    assert event.changed == ("key", "max_budget", "models")
    assert event.details == {"max_budget": "20.0", "models": "['gpt-4o']"}
    assert event.entity_id is not None
    assert len(event.entity_id) == 64
    assert KEY not in event.model_dump_json()


def test_a_change_of_several_entities_names_all_and_changed_by() -> None:
    """Keys by their hashes."""
    event = read(
        "Alert type: `virtual_key_deleted`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: `Virtual Key Deleted`\n"
        f"\n*Arguments passed:*\ndata: `keys=['{KEY}', '{'a' * 64}'] key_aliases=None`\nlitellm_changed_by: `carol`\n"
    )

    assert isinstance(event, EntityChanged)
    assert event.entity_id is not None
    assert event.details == {"and": "a" * 64, "changed by": "carol"}
    assert KEY not in event.model_dump_json()


def change(
    arguments: str, *, alert_type: str = "virtual_key_updated", head: str = "\nTimestamp: `14:02:11`"
) -> EntityChanged:
    """Read a change that was made with these arguments."""
    event = read(
        f"Alert type: `{alert_type}`{head}\n\nMessage: `Event`\n*Action Done by:*\ncreated_by_user_id: `admin`\n"
        f"\n*Arguments passed:*\ndata: `{arguments}`\nlitellm_changed_by: `None`\n"
    )
    assert isinstance(event, EntityChanged)
    return event


@pytest.mark.parametrize("alert_type", MANAGEMENT)
def test_a_digest_of_changes_counts_them_all(alert_type: str) -> None:
    """This holds for every type. LiteLLM names only the first change."""
    span = "\nStart: `2026-11-23 10:00:00`\nEnd: `2026-11-23 14:00:00`"
    event = change("keys=['k']", alert_type=alert_type, head=f" (Digest)\nLevel: `High`{span}\nCount: `7`")

    assert (event.entity, event.action) == MANAGEMENT[alert_type]
    assert (event.count, event.actor_id) == (7, "admin")
    assert event.digest_from == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert event.digest_until == datetime(2026, 11, 23, 14, tzinfo=UTC)


@pytest.mark.parametrize("alert_type", MANAGEMENT)
def test_a_change_that_litellm_squashed_counts_as_often(alert_type: str) -> None:
    """The same text several times within five seconds."""
    event = read(f"[Num Alerts: 3]\n\nAlert type: `{alert_type}`\nLevel: `High`\nTimestamp: `1`\n\nMessage: `Event`\n")

    assert isinstance(event, EntityChanged)
    assert (event.count, event.digest_from) == (3, None)


@given(st.text(alphabet="ab ='\"\\[],", min_size=1, max_size=20))
def test_a_name_with_quotes_is_read_unchanged(alias: str) -> None:
    """Python prints an apostrophe in double quotes, and both kinds with backslashes."""
    event = change(f"key_alias={alias!r} key_aliases=None team_id='t1' models={[alias, 'm']!r} max_budget=1.0")

    assert (event.entity_alias, event.team_id) == (alias, "t1")
    assert event.changed == ("key_alias", "max_budget", "models", "team_id")
    assert event.details == {"max_budget": "1.0", "models": repr([alias, "m"])}
    assert change(f"key_aliases={[alias, 'm']!r}", alert_type="virtual_key_deleted").entity_alias == alias


def test_the_link_to_a_trace_is_a_fact() -> None:
    """LiteLLM puts it between message and metadata. The ids in it are not secrets."""
    link = "https://langfuse.example/project/p1/traces/0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    event = relayed(
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: LLM API call failed: `boom`"
        f"\n\n🪢 Langfuse Trace: `{link}`\n\n\n\n*Alerting Metadata*: \nticket: `T-17`\n\n"
    )

    assert event.facts == {"Langfuse trace": link}
    assert event.metadata == {"ticket": "T-17"}
    assert event.headline == "LLM API call failed: boom"


def test_metadata_without_a_value_is_none() -> None:
    """A caller's own text may hold the mark of metadata; it is not shown for that."""
    event = relayed(
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: boom\nMessages: `my\n\n"
        "*Alerting Metadata*: \nprivate words`\n"
    )

    assert event.metadata == {}
    assert "private" not in event.model_dump_json()


def test_a_message_that_is_too_long_loses_its_middle() -> None:
    """Its begin and the facts at its end are read, and what the excerpt at its end names is hidden in its begin."""
    event = relayed(
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\n"
        f"Message: LLM API call failed: `my private words {'and so on ' * 90_000}\nModel: gpt-4o\n"
        "Messages: `[{'role': 'user', 'content': 'my private words'}]`\n`"
    )

    assert "private" not in event.model_dump_json()
    assert event.headline.startswith("LLM API call failed: ")
    assert event.facts == {"Model": "gpt-4o"}


def test_secrets_in_errors_are_scrubbed() -> None:
    """Database addresses and keys of providers."""
    event = relayed(
        "Alert type: `db_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: DB read/write call failed: "
        f"postgresql://admin:hunter2@db:5432/x refused; key {KEY}"
    )

    assert "hunter2" not in event.model_dump_json()
    assert KEY not in event.model_dump_json()


def test_a_card_for_teams_is_read_like_a_text_for_slack() -> None:
    """`MS_TEAMS_WEBHOOK_URL` may point at the relay, too."""
    text = "Alert type: `db_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: DB read/write call failed: x"
    card = {"attachments": [{"content": {"body": [{"type": "TextBlock", "text": text}]}}]}

    event = read_slack(json.dumps(card).encode(), now=NOW)

    assert isinstance(event, AlertRelayed)
    assert event.alert_type == "db_exceptions"


def test_a_budget_event_keeps_its_figures_in_nano_dollars() -> None:
    """It has LiteLLM's name of the event, and our scope of the budget."""
    body = {
        "spend": 100.0,
        "max_budget": 100.5,
        "soft_budget": None,
        "token": "T",
        "customer_id": "c1",
        "event_group": "end_user",
        "event": "budget_crossed",
        "event_message": "Customer Budget: Budget Crossed",
    }

    event = read_webhook(json.dumps(body).encode(), now=NOW)

    assert isinstance(event, BudgetReported)
    assert (event.scope, event.entity_id, event.event) == (BudgetScope.CUSTOMER, "c1", "budget_crossed")
    assert (event.spend_nanos, event.max_nanos, event.soft_nanos) == (100_000_000_000, 100_500_000_000, None)


@pytest.mark.parametrize(
    ("fields", "entity"),
    [
        ({"event_group": "team_member", "user_id": "u1", "team_id": "t1"}, "u1:t1"),
        ({"event_group": "proxy", "user_id": "default_user_id", "token": "T"}, "proxy"),
        ({"event_group": "organization", "organization_id": "o1", "token": "T"}, "o1"),
        ({"event_group": "project", "token": "a" * 64}, "a" * 64),
    ],
)
def test_a_budget_belongs_to_the_entity_that_litellm_names(fields: dict[str, str], entity: str) -> None:
    """Otherwise each key would raise an alert about the proxy's budget."""
    body = {"spend": 1, "max_budget": 1, "event": "budget_crossed"} | fields

    event = read_webhook(json.dumps(body).encode(), now=NOW)

    assert isinstance(event, BudgetReported)
    assert (event.scope, event.entity_id) == (fields["event_group"], entity)


def test_a_webhook_body_without_a_budget_event_is_an_unknown_alert() -> None:
    """It still reaches somebody."""
    event = read_webhook(b'{"event": "key_created", "event_message": "hello"}', now=NOW)

    assert isinstance(event, AlertRelayed)
    assert (event.alert_type, event.headline) == ("unknown", "hello")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    """LiteLLM sends nothing of the kind."""
    with pytest.raises(RelayError):
        read_slack(body, now=NOW)
    with pytest.raises(RelayError):
        read_webhook(body, now=NOW)


_PIECES = st.sampled_from(
    [
        "[Num Alerts: 3]\n\n",
        "Alert type: `llm_exceptions`",
        "Alert type: `virtual_key_deleted`",
        " (Digest)",
        "\nLevel: `High`",
        "\nCount: `9999999999999`",
        "\nStart: `2026-13-41 10:00:00`",
        "\n\nMessage: ",
        "\n\n*Alerting Metadata*: \nk: `v`\n\n",
        "\n\nProxy URL: `x`",
        "Messages: `",
        "*Arguments passed:*\n",
        "`\x00",
        "\ud800",
        f"keys=['{KEY}']",
    ]
)
_TEXTS = st.lists(_PIECES | st.text(max_size=20), max_size=12).map("".join)


@given(_TEXTS, st.none() | st.text(max_size=10))
def test_every_text_becomes_a_valid_event(text: str, named: str | None) -> None:
    """LiteLLM, or a caller through it, may write anything. No key is in the event."""
    event = read(text, named=named)

    again = EVENT.validate_json(event.model_dump_json(exclude_none=True))
    assert again == event
    assert KEY not in event.model_dump_json()


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["spend", "max_budget", "token", "event_group", "event", "event_message", "alert_emails", "user_id", "text"]
)


@given(st.dictionaries(_FIELDS, _JSON | st.sampled_from(["key", "user", "proxy", "budget_crossed"])))
def test_every_json_object_becomes_a_valid_event(body: dict[str, object]) -> None:
    """On both ways in."""
    for read_it in (read_webhook, read_slack):
        event = read_it(json.dumps(body).encode(), now=NOW)
        assert EVENT.validate_json(event.model_dump_json(exclude_none=True)) == event


def canaries(value: str) -> str:
    """Write a secret into each part of LiteLLM's text that a person or a program can choose."""
    return (
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `1`\n\n"
        f"Message: LLM API call failed: `wrong key {value}`\n"
        f"Team: `{value}`\nPassword: `hunter2hunter2`\nModel: {value}\n{value} and more\n\n"
        f"*Alerting Metadata*: \n{value}: `v`\n\n\n\n*Alerting Metadata*: \ntoken: `hunter2hunter2`\n\n"
        "\n\n*Alerting Metadata*: \nsecret_key: `hunter2xx`\n\n"
        "\n\n*Alerting Metadata*: \nsecrets: `{'db': {'a': 'hunter2xx'}, 'b': 'hunter2yy'}`\n\n"
        "\n\n*Alerting Metadata*: \nnote: `{'secrets': {'a': {'x': 'hunter2xx'}, 'b': 'hunter2yy'}}`\n\n"
    )


@pytest.mark.parametrize(
    "value", ["sk-proj-canary0123456789abcdefAB", "ghp_canary0123456789abcdefghijAB", "xoxb-canary01234567-abc"]
)
def test_no_secret_of_a_text_gets_through_in_any_part_of_it(value: str) -> None:
    """Headline, facts, text, and names and values of metadata."""
    read_back = relayed(canaries(value), named=value).model_dump_json()

    assert "canary" not in read_back
    assert "hunter2" not in read_back


@pytest.mark.parametrize("group", ["key", "team", "internal_user", "user", "customer", "end_user", "nothing"])
def test_no_secret_of_a_budget_event_gets_through_in_any_field(group: str) -> None:
    """Entities whose names are secrets stay distinct."""
    secret = "sk-proj-canary0123456789abcdefAB"
    named = ("token", "key_alias", "team_id", "team_alias", "user_id", "user_email", "customer_id", "organization_id")
    body = dict.fromkeys(named, secret) | {
        "event": "budget_crossed",
        "event_group": group,
        "event_message": f"of {secret}",
    }
    event = read_webhook(json.dumps(body | {"alert_emails": [secret]}).encode(), now=NOW, host=secret)

    assert "canary" not in event.model_dump_json()
    other = read_webhook(json.dumps(body | {"team_id": f"{secret}2"}).encode(), now=NOW)
    if isinstance(event, BudgetReported) and isinstance(other, BudgetReported):
        assert event.team_id != other.team_id


def test_no_part_of_a_relayed_text_is_cut_silently() -> None:
    """Each ends with the mark."""
    long = "word " * 4_000
    event = relayed(
        "Alert type: `db_exceptions`\nLevel: `High`\nTimestamp: `1`\n\n"
        f"Message: {long}\nTeam: `{long}`\nTeam: `x`\n{long}\n\n"
        f"*Alerting Metadata*: \nnote: `{long}`\n\n"
    )

    assert event.headline.endswith("… cut")
    assert event.text.endswith("… cut")
    assert event.facts["Team"].endswith("… cut")
    assert event.metadata["note"].endswith("… cut")


def test_figures_of_a_report_are_no_secrets_and_keys_in_it_are() -> None:
    """A report is made of numbers that labels announce."""
    event = relayed(
        f"Alert type: `daily_reports`\n\nToday\nLatency per output token: `0.0052`\nTeam: `{KEY}`\napi_key=hunter2xx"
    )

    assert "hunter2" not in event.model_dump_json()
    assert "0.0052" in event.model_dump_json()
    assert KEY not in event.model_dump_json()
