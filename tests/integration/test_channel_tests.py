"""Test messages: sent through the lane like any other, but alone, at once, and with the receiver's own answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.delivery.channel import Pace
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.pipeline import Runtime, channel_tests, ingest, routed_channels, try_channels
from alertworker.ports import Lease
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, batch, failed, rows, run_until_quiet

EXCEPTIONS = ("outbox", AlertType.LLM_EXCEPTIONS)


def test_a_test_is_sent_though_an_equal_one_was_and_a_silence_holds(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The test is neither deduplicated nor silenced, and has a row and an attempt like any message."""
    everything = Silence("s1", (parse('alert_type=~".*"'),), NOW, NOW + timedelta(hours=1), "ops", "night")
    AdminStore(store.engine).add_silence(everything, now=NOW)
    first, second = (try_channels([EXCEPTIONS], runtime, now=NOW)[0] for _ in range(2))

    assert (first.status, first.answer, first.passed) == ("sent", "200", True)
    assert second == replace(first, body=second.body)
    assert [message.step for message in outbox.sent] == [Step.TEST, Step.TEST]
    assert first.body == outbox.sent[0].model_dump_json()
    assert [row.outcome for row in rows(store, ATTEMPTS)] == ["sent", "sent"]


@pytest.mark.parametrize("reason", [Reason.SERVER_ERROR, Reason.RATE_LIMITED, Reason.CLIENT_ERROR])
def test_a_test_that_fails_is_reported_and_never_tried_again(
    runtime: Runtime, outbox: Outbox, store: SqlStore, reason: Reason
) -> None:
    """A test that arrives a day later is useless. It leaves no dead letter either."""
    outbox.failures = [DeliveryError("answered so", reason, retry_after=1.0)]
    [result] = try_channels([EXCEPTIONS], runtime, now=NOW)

    assert (result.status, result.answer, result.reason, result.passed) == ("dead", "answered so", reason, False)
    assert rows(store, DEAD_LETTERS) == []
    run_until_quiet(runtime, NOW + timedelta(hours=1))
    assert outbox.sent == []


def test_each_pair_has_its_own_answer_in_the_order_asked_for(runtime: Runtime, outbox: Outbox) -> None:
    """This includes a channel that is not configured."""
    outbox.failures = [DeliveryError("answered 400", Reason.CLIENT_ERROR)]
    pairs = [EXCEPTIONS, ("nowhere", AlertType.DAILY_REPORTS), ("outbox", AlertType.DAILY_REPORTS)]
    found = try_channels(pairs, runtime, now=NOW)

    assert [(result.channel, result.type) for result in found] == pairs
    assert [result.status for result in found] == ["dead", "dead", "sent"]
    assert found[1].reason == Reason.UNKNOWN_CHANNEL
    assert [message.type for message in outbox.sent] == [AlertType.DAILY_REPORTS]


def test_a_test_is_sent_before_waiting_messages_and_in_no_digest(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The lane would merge everything else that waits into one message."""
    outbox.digest_size = 50
    for n in range(20):
        ingest(batch(failed(f"c{n}").model_copy(update={"model_group": f"m{n}"})), runtime, now=NOW)
    [result] = try_channels([EXCEPTIONS], runtime, now=NOW)
    assert [message.step for message in outbox.sent] == [Step.TEST]

    run_until_quiet(runtime, NOW + timedelta(seconds=1))
    assert result.passed
    assert [message.step for message in outbox.sent[1:2]] == [Step.DIGEST]
    assert "sent" in {row.status for row in rows(store, NOTIFICATIONS) if row.step == "test"}


def test_a_channel_test_that_gets_no_turn_is_withdrawn(
    runtime: Runtime, outbox: Outbox, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer reports that the lane is busy, and nothing is sent later."""
    monkeypatch.setattr(channel_tests, "PATIENCE", timedelta(seconds=0.3))
    other = Lease("outbox", "another worker")
    assert store.lanes.lease(other, until=NOW + timedelta(seconds=30), pace=Pace(), now=NOW)
    [result] = try_channels([EXCEPTIONS], runtime, now=NOW)

    assert (result.status, result.reason) == ("dropped", "withdrawn")
    assert "paused, or busy" in result.answer
    store.lanes.release(other, now=NOW)
    run_until_quiet(runtime, NOW + timedelta(minutes=1))
    assert outbox.sent == []


def test_an_incident_that_a_test_opens_is_closed(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Both messages have the same alert id. The resolving one is sent at once, before waiting messages."""
    outbox.keeps_open = True
    for n in range(3):
        ingest(batch(failed(f"c{n}").model_copy(update={"model_group": f"m{n}"})), runtime, now=NOW)
    [result] = try_channels([EXCEPTIONS], runtime, now=NOW)

    assert [message.step for message in outbox.sent] == [Step.TEST, Step.RESOLVED]
    assert len({message.alert_id for message in outbox.sent}) == 1
    assert result.answer == "200; resolved again"
    run_until_quiet(runtime, NOW + timedelta(minutes=1))  # a test takes real time
    assert len(outbox.sent) == 5


def test_an_incident_that_a_test_did_not_open_is_not_closed(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A refused test opened nothing. A test whose answer was lost may have, so it is resolved."""
    outbox.keeps_open = True
    for reason, ends in ((Reason.AUTH_ERROR, 0), (Reason.TIMEOUT, 1)):
        outbox.failures = [DeliveryError("no", reason), DeliveryError("busy", Reason.RATE_LIMITED, retry_after=2)]
        [result] = try_channels([EXCEPTIONS], runtime, now=NOW)
        run_until_quiet(runtime, NOW + timedelta(seconds=5))
        outbox.failures.clear()
        run_until_quiet(runtime, NOW + timedelta(seconds=10))

        assert (result.status, result.answer) == ("dead", "no")
        assert [message.step for message in outbox.sent] == [Step.RESOLVED] * ends
    assert rows(store, DEAD_LETTERS) == []


def test_a_test_in_shadow_writes_nothing_and_reports_shadow(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """There is not even a row."""
    [result] = try_channels([EXCEPTIONS], replace(runtime, shadow=True), now=NOW)

    assert (result.status, result.passed) == ("shadow", False)
    assert rows(store, NOTIFICATIONS) == []
    assert outbox.sent == []


def test_a_kinds_channels_are_found_by_the_routes_of_each_type(runtime: Runtime, outbox: Outbox) -> None:
    """A type without a route, or with a route to another kind, has no channels."""
    types = [AlertType.LLM_EXCEPTIONS, AlertType.DAILY_REPORTS]
    only = replace(runtime, router=replace(runtime.router, types=frozenset(types[:1])))

    assert routed_channels("outbox", types, only) == [EXCEPTIONS]
    assert routed_channels("slack", types, only) == []
    # SLACK_WEBHOOK_URL may be a Teams URL, and LiteLLM's page tests it as "slack".
    outbox.kind, outbox.litellm_service = "ms_teams", "slack"
    assert routed_channels("slack", types, only) == [EXCEPTIONS]
    assert routed_channels("discord", types, only) == []
