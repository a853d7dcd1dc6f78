"""The routing of a real pipeline: a team's own receiver, and a type's own interval."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alertworker.alerts.advice import Annotations, advise
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.pipeline import Runtime, deliver, ingest, sweep
from alertworker.routing.router import Route
from alertworker.store import SqlStore
from tests.integration.harness import NOW, Outbox, answered, batch, failed, run_until_quiet


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_team_is_also_notified_at_the_receiver_in_its_metadata(runtime: Runtime, outbox: Outbox) -> None:
    """A key's receiver takes precedence over the team's. An unconfigured receiver is ignored."""
    team, key = Outbox(), Outbox()
    team.name, key.name = "team-chat", "key-chat"
    receivers = {**runtime.router.receivers, "search": ("team-chat",), "app": ("key-chat",)}
    runtime = replace(
        runtime,
        channels={"outbox": outbox, "team-chat": team, "key-chat": key},
        router=replace(runtime.router, receivers=receivers, selectable=frozenset(("search", "app"))),
    )
    named = {"alert_receiver": "search"}
    calls = [
        failed("a").model_copy(update={"team_metadata": named, "model_group": "a"}),
        failed("b").model_copy(
            update={"team_metadata": named, "key_metadata": {"alert_receiver": "app"}, "model_group": "b"}
        ),
        failed("c").model_copy(update={"team_metadata": {"alert_receiver": "nobody"}, "model_group": "c"}),
    ]
    ingest(batch(*calls), runtime, now=NOW)
    for name in runtime.channels:
        while deliver(name, runtime, now=NOW):
            pass

    assert sorted(message.labels["model"] for message in outbox.sent) == ["a", "b", "c"]
    assert [message.labels["model"] for message in team.sent] == ["a"]
    assert [message.labels["model"] for message in key.sent] == ["b"]


def test_a_receiver_that_tenants_may_not_choose_changes_nothing(runtime: Runtime, outbox: Outbox) -> None:
    """1,000 made-up values are one alert, as without them, and the receiver of another team gets nothing."""
    other = Outbox()
    other.name = "ops-chat"
    receivers = {**runtime.router.receivers, "ops": ("ops-chat",)}
    router = replace(runtime.router, receivers=receivers)
    runtime = replace(runtime, channels={"outbox": outbox, "ops-chat": other}, router=router)
    made_up = [{"alert_receiver": f"made-up-{number}"} for number in range(1_000)]
    calls = [
        failed(f"call-{number}").model_copy(update={"key_metadata": metadata, "model_group": "a"})
        for number, metadata in enumerate([*made_up, {"alert_receiver": "ops"}, {}])
    ]
    ingest(batch(*calls), runtime, now=NOW)
    for name in runtime.channels:
        while deliver(name, runtime, now=NOW):
            pass

    assert other.sent == []
    [message] = outbox.sent
    assert message.count == 1_002
    assert "alert_receiver" not in message.labels


def test_each_route_has_its_own_advice(runtime: Runtime, outbox: Outbox) -> None:
    """The first channel gets a note, the second one a runbook beside our line. The pages show both."""
    second = Outbox()
    second.name = "second"
    routes = (
        Route(receiver="all", continues=True, annotations=Annotations(note="Call us.")),
        Route(receiver="second", annotations=Annotations(runbook_url="https://wiki.example/x")),
    )
    receivers = {"all": ("outbox",), "second": ("second",)}
    router = replace(runtime.router, root=Route(receiver="all", routes=routes), receivers=receivers)
    runtime = replace(runtime, channels={"outbox": outbox, "second": second}, router=router)
    ingest(batch(failed("a")), runtime, now=NOW)
    ingest(batch(failed("b")), runtime, now=after(1))
    sweep(runtime, now=after(20))
    for name in runtime.channels:
        while deliver(name, runtime, now=after(20)):
            pass

    ours = advise(AlertType.LLM_EXCEPTIONS, Severity.LOW, {})
    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.SUMMARY]
    assert {(message.what_to_do, message.runbook_url) for message in outbox.sent} == {("Call us.", None)}
    assert [message.step for message in second.sent] == [Step.NOTICE, Step.SUMMARY]
    assert {(message.what_to_do, message.runbook_url) for message in second.sent} == {(ours, "https://wiki.example/x")}


def test_a_digest_sums_up_for_its_own_interval_across_restarts(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """``alert_type_config``: occurrences are in the database, so another process sends them.

    Other types keep their intervals.
    """
    digests = {AlertType.LLM_TOO_SLOW: 600.0}
    runtime = replace(runtime, router=replace(runtime.router, digests=digests))
    for minute in range(5):
        slow = answered(f"slow-{minute}", seconds=9).model_copy(update={"occurred_at": after(60 * minute)})
        ingest(batch(slow, failed(f"failed-{minute}", at=after(60 * minute))), runtime, now=after(60 * minute))
    restarted = replace(runtime, store=SqlStore(store.engine))
    sweep(restarted, now=after(599))
    run_until_quiet(restarted, after(599))
    slow_so_far = [message for message in outbox.sent if message.type is AlertType.LLM_TOO_SLOW]
    sweep(restarted, now=after(601))
    run_until_quiet(restarted, after(601))

    notified = [message for message in outbox.sent if message.type is AlertType.LLM_TOO_SLOW]
    assert [(message.step, message.count) for message in slow_so_far] == [(Step.NOTICE, 1)]
    assert [(message.step, message.count, message.total) for message in notified[1:]] == [(Step.SUMMARY, 4, 5)]
    assert [m.step for m in outbox.sent if m.type is AlertType.LLM_EXCEPTIONS] == [Step.NOTICE, Step.SUMMARY]
