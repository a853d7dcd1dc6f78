"""An alert of LiteLLM itself is one alert for all its processes, and is suppressed if the callback reports it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alertworker.alerts.message import Step
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.events import (
    Action,
    AlertRelayed,
    Entity,
    EntityChanged,
    PublisherHeartbeat,
    PublisherStopped,
)
from alertworker.integrations.litellm.relay import read_slack
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from tests.integration.harness import NOW, Outbox, answered, batch, failed, rows, run_until_quiet

_PUBLISHER: dict[str, Any] = {"boot_id": "b1", "host": "p1", "pid": 1, "version": "1", "started_at": NOW}


def said(alert_type: str, headline: str, **more: Any) -> AlertRelayed:
    """Return an alert of LiteLLM's own alerting."""
    return AlertRelayed(occurred_at=NOW, alert_type=alert_type, headline=headline, **more)


def test_the_same_text_from_several_processes_is_one_alert(runtime: Runtime, outbox: Outbox) -> None:
    """Digests count with their number. Different figures in a text do not make another alert."""
    for number in range(3):
        text = f"DB read/write call failed: timed out after {number}.5 s on connection 0x{number}f"
        ingest(batch(said("db_exceptions", text, level="High", count=2)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    later = NOW + timedelta(seconds=11)
    sweep(runtime, now=later)
    run_until_quiet(runtime, later)

    assert [(message.step, message.count, message.total) for message in outbox.sent] == [
        (Step.NOTICE, 2, 2),
        (Step.SUMMARY, 4, 6),
    ]
    assert {message.alert_id for message in outbox.sent} == {outbox.sent[0].alert_id}


#: What LiteLLM 1.110 sends every 15 minutes while its accounting is late, with other figures each time.
ACCOUNTING = (
    "Accounting delivery parked {} requests. Included spend totals require repair.",
    "Accounting delivery storage requires review. Retained batches={}, table bytes={}.",
    "Accounting deliveries are delayed. Pending={}, oldest={}s.",
)


def test_each_problem_of_litellms_accounting_is_one_alert(runtime: Runtime, outbox: Outbox) -> None:
    """The figures stay readable. The advice does not mention a missing price."""
    for number in range(2):
        for form in ACCOUNTING:
            text = form.format(1_000_000 + number, 1_073_741_824 + number)
            body = {"text": f"Alert type: `failed_tracking_spend`\nLevel: `High`\n\nMessage: {text}"}
            ingest(batch(read_slack(json.dumps(body).encode(), now=NOW)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert sorted(message.headline for message in outbox.sent) == sorted(
        form.format(1_000_000, 1_073_741_824) for form in ACCOUNTING
    )
    assert len({message.alert_id for message in outbox.sent}) == 3
    assert all("could not record spend" in message.what_to_do for message in outbox.sent)


def test_outages_of_two_models_are_two_alerts(runtime: Runtime, outbox: Outbox) -> None:
    """An alert that names another model or region is another alert."""
    for model in ("gpt-4o", "o3"):
        ingest(batch(said("outage_alerts", "Major Service Outage", facts={"Model Name": model})), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert sorted(message.labels["model"] for message in outbox.sent) == ["gpt-4o", "o3"]


def test_a_relayed_condition_is_a_notice(runtime: Runtime, outbox: Outbox) -> None:
    """LiteLLM never reports its end, so there is no resolution and no reminder."""
    ingest(batch(said("llm_requests_hanging", "Requests are hanging")), runtime, now=NOW)
    for minutes in (0, 1, 300):
        now = NOW + timedelta(minutes=minutes)
        sweep(runtime, now=now)
        run_until_quiet(runtime, now)

    assert [message.step for message in outbox.sent] == [Step.NOTICE]


def test_a_covered_alert_is_recorded_and_sent_to_no_channel(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """This holds while its publisher is running. Once it has stopped, LiteLLM's alerts are sent again."""
    beat = PublisherHeartbeat(**_PUBLISHER, occurred_at=NOW, integration="litellm")
    ingest(batch(beat), runtime, now=NOW)
    copy = said("llm_exceptions", "LLM API call failed: boom")
    ingest(batch(failed("c1"), copy), runtime, now=NOW)
    ingest(batch(said("db_exceptions", "DB read/write call failed")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.type.value for message in outbox.sent] == ["llm_exceptions", "db_exceptions"]
    assert outbox.sent[0].members
    assert {row.labels.get("covered_by") for row in rows(store, ALERTS)} == {None, "callback"}
    assert [(row.name, row.label, row.value) for row in rows(store, COUNTERS) if row.name == "muted"] == [
        ("muted", "covered", 1)
    ]

    ingest(batch(PublisherStopped(**_PUBLISHER, occurred_at=NOW, integration="litellm")), runtime, now=NOW)
    ingest(batch(said("llm_exceptions", "LLM API call failed: boom")), runtime, now=NOW)
    run_until_quiet(runtime, NOW + timedelta(seconds=1))
    assert [message.type.value for message in outbox.sent][2:] == ["llm_exceptions"]


DAILY = {"User": "u1", "Spend Today": "$60.00", "Daily Threshold": "$50.00"}
MONTHLY = {"User": "u1", "Spend This Month": "$600.00", "Monthly Threshold": "$500.00"}
SEVERAL = "User: `u1`\nDaily Threshold: `$50.00`\n\nUser: `u1`\nMonthly Threshold: `$500.00`"
EACH_DAY = UserPolicy(daily_nanos=50_000_000_000, anomalies=True)


def reaches(runtime: Runtime, outbox: Outbox, copy: AlertRelayed) -> bool:
    """Return whether LiteLLM's alert is sent while its callback is running."""
    ingest(batch(PublisherHeartbeat(**_PUBLISHER, occurred_at=NOW, integration="litellm")), runtime, now=NOW)
    ingest(batch(copy), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    return bool(outbox.sent)


@pytest.mark.parametrize(
    ("alert_type", "more"),
    [
        ("daily_reports", {}),
        ("spend_reports", {}),
        ("fallback_reports", {}),
        ("user_spend_thresholds", {"facts": DAILY}),
        ("user_spend_anomalies", {}),
        *(("budget_alerts", {"facts": {"event_group": group}}) for group in ("key", "team", "user", "organization")),
    ],
)
def test_alerts_from_a_callbacks_calls_are_not_notified_twice(
    runtime: Runtime, outbox: Outbox, alert_type: str, more: dict[str, Any]
) -> None:
    """Reports and users' spend are raised by the clock, budgets by their figures."""
    assert not reaches(replace(runtime, users=EACH_DAY), outbox, said(alert_type, "Something", **more))


@pytest.mark.parametrize(
    ("alert_type", "more", "users"),
    [
        ("user_spend_thresholds", {"facts": DAILY}, UserPolicy()),
        ("user_spend_thresholds", {"facts": MONTHLY}, EACH_DAY),
        ("user_spend_thresholds", {"facts": DAILY, "text": SEVERAL}, EACH_DAY),
        ("user_spend_thresholds", {}, EACH_DAY),
        ("user_spend_anomalies", {}, UserPolicy(daily_nanos=1)),
        *(
            ("budget_alerts", {"facts": {"event_group": group}}, EACH_DAY)
            for group in ("end_user", "project", "proxy", "tag", "team_member")
        ),
        ("budget_alerts", {}, EACH_DAY),
        ("budget_alerts", {"facts": {"event_group": "key"}, "count": 7, "digest_from": NOW}, EACH_DAY),
        ("failed_tracking_spend", {}, EACH_DAY),
    ],
)
def test_alerts_that_only_litellm_sends_are_notified(
    runtime: Runtime, outbox: Outbox, alert_type: str, more: dict[str, Any], users: UserPolicy
) -> None:
    """A limit that is not configured here, a budget whose spend no call carries, and what a digest does not name."""
    assert reaches(replace(runtime, users=users), outbox, said(alert_type, "Something", **more))


def test_a_publisher_outside_a_proxy_covers_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """Another program's publisher reports nothing about the proxy's calls."""
    ingest(batch(PublisherHeartbeat(**_PUBLISHER, occurred_at=NOW)), runtime, now=NOW)
    ingest(batch(said("llm_exceptions", "LLM API call failed: boom")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert len(outbox.sent) == 1


def test_a_publisher_that_is_silent_covers_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """The time is four and a half heartbeats."""
    ingest(batch(PublisherHeartbeat(**_PUBLISHER, occurred_at=NOW, integration="litellm")), runtime, now=NOW)
    later = NOW + timedelta(seconds=50)
    ingest(batch(said("llm_exceptions", "LLM API call failed: boom")), runtime, now=later)
    run_until_quiet(runtime, later)

    assert len(outbox.sent) == 1


def test_an_alert_of_unknown_type_is_notified(runtime: Runtime, outbox: Outbox) -> None:
    """It has LiteLLM's own text, and is separate from alerts of other types."""
    for alert_type in ("brand_new_type", "another_type"):
        ingest(batch(said(alert_type, "Something happened")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.type.value for message in outbox.sent] == ["unknown", "unknown"]
    assert {message.labels["said"] for message in outbox.sent} == {"brand_new_type", "another_type"}


def test_a_deleted_key_is_notified_once_with_its_actor(runtime: Runtime, outbox: Outbox) -> None:
    """The number of sources does not matter. Another key is another alert."""
    for key in ("hash-1", "hash-1", "hash-2"):
        deleted = EntityChanged(
            occurred_at=NOW,
            entity=Entity.KEY,
            action=Action.DELETED,
            entity_id=key,
            actor_id="admin",
            changed=("keys",),
        )
        ingest(batch(deleted), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == [
        "Key hash-1 was deleted by admin",
        "Key hash-2 was deleted by admin",
    ]
    assert outbox.sent[0].facts["Action Done by"] == "admin"


def changed(at: datetime = NOW, **more: Any) -> EntityChanged:
    """Return the deletion of a key as the callback reports it, or, with ``source_host``, as LiteLLM's alerting does."""
    return EntityChanged(occurred_at=at, entity=Entity.KEY, action=Action.DELETED, actor_id="admin", **more)


def test_a_change_from_the_callback_covers_litellms_copy(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """This holds only for changes of that type, and for a short time: a proxy may have audit logs off."""
    model = EntityChanged(occurred_at=NOW, entity=Entity.MODEL, action=Action.CREATED, entity_id="m1")
    ingest(batch(changed(entity_id="a" * 64), model), runtime, now=NOW)
    copies = changed(entity_alias="app", source_host="p1"), said("new_model_added", "New Model Added")
    ingest(batch(*copies), runtime, now=NOW + timedelta(seconds=5))
    run_until_quiet(runtime, NOW + timedelta(seconds=5))
    assert [message.type.value for message in outbox.sent] == ["new_model_added", "virtual_key_deleted"]
    muted = [row.value for row in rows(store, COUNTERS) if (row.name, row.label) == ("muted", "covered")]
    assert muted == [2]

    blocked = EntityChanged(occurred_at=NOW, entity=Entity.KEY, action=Action.BLOCKED, source_host="p1")
    ingest(batch(blocked), runtime, now=NOW + timedelta(seconds=6))
    later = NOW + timedelta(seconds=70)
    ingest(batch(changed(later, entity_alias="app", source_host="p2")), runtime, now=later)
    run_until_quiet(runtime, later)
    assert [message.type.value for message in outbox.sent][2:] == ["virtual_key_blocked", "virtual_key_deleted"]


def test_a_digest_of_changes_is_an_alert_of_its_own_that_counts_them_all(runtime: Runtime, outbox: Outbox) -> None:
    """It names the first change and counts all. It is sent although the callback has just reported such a change."""
    ingest(batch(changed(entity_id="a" * 64)), runtime, now=NOW)
    digest = changed(
        entity_id="a" * 64,
        source_host="p1",
        count=7,
        digest_from=NOW - timedelta(hours=4),
        digest_until=NOW - timedelta(hours=1),
    )
    ingest(batch(digest), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    one, several = sorted(outbox.sent, key=lambda message: message.total)
    assert (one.total, one.facts.get("Digest")) == (1, None)
    assert (several.total, several.members_more) == (7, 6)
    assert several.headline == "Key aaaaaaaa… was deleted by admin, the first of 7 changes in a digest"
    span = "2026-11-23 10:02:11 to 2026-11-23 13:02:11"
    assert several.facts["Digest"] == f"7 changes, the first is named; {span}"


def test_a_change_that_litellm_sends_three_times_is_one_alert_of_three(runtime: Runtime, outbox: Outbox) -> None:
    """Without a digest they are the same change."""
    ingest(batch(changed(entity_id="a" * 64, source_host="p1", count=3)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [(message.total, message.facts.get("Digest")) for message in outbox.sent] == [(3, None)]


def test_a_change_shows_the_names_that_the_ledger_knows(runtime: Runtime, outbox: Outbox) -> None:
    """The audit log has ids. Ids stand after the names, and no hash is in a headline."""
    call = answered("a", key_hash="b" * 64, key_alias="app", team_id="t1", team_alias="search", user_id="u1")
    ingest(batch(call.model_copy(update={"user_email": "ann@example.com"})), runtime, now=NOW)
    change = changed(entity_id="b" * 64, team_id="t1").model_copy(update={"actor_id": "u1"})
    ingest(batch(change), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    (message,) = outbox.sent
    assert message.headline == "Key app was deleted by ann@example.com"
    assert message.facts["Key"] == "app (bbbbbbbb…)"
    assert message.facts["Team"] == "search (t1)"
    assert message.facts["Action Done by"] == "ann@example.com (u1)"


@pytest.mark.parametrize(
    ("action", "headline"),
    [
        (Action.MEMBER_ADDED, "Team who was member of x: member added by admin"),
        (Action.UPDATED, "Team who was member of x was updated by admin"),
    ],
)
def test_a_name_is_never_reworded(runtime: Runtime, outbox: Outbox, action: Action, headline: str) -> None:
    """Only the action decides the words around it."""
    named = {"entity_id": "t1", "entity_alias": "who was member of x", "actor_id": "admin"}
    ingest(batch(EntityChanged(occurred_at=NOW, entity=Entity.TEAM, action=action, **named)), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [message.headline for message in outbox.sent] == [headline]
