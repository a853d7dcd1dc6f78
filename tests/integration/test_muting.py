"""Silences, inhibitions, time intervals, reminders and acknowledgements: they suppress messages, never alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial

import pytest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.pipeline import Runtime, deliver, ingest, sweep
from alertworker.pipeline.notify import claim, resolve
from alertworker.ports.alert_search import AlertFilter
from alertworker.routing.inhibitions import Inhibition
from alertworker.routing.matchers import parse
from alertworker.routing.router import Route
from alertworker.routing.silences import Silence
from alertworker.routing.time_intervals import TimeInterval
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS, SILENCES
from alertworker.store.schema.batches import COUNTERS
from tests.integration.harness import NOW, Outbox, announced, answered, batch, failed, rows, run_until_quiet


def silence(*matchers: str, seconds: float = 60, start: datetime = NOW) -> Silence:
    parsed = tuple(parse(text) for text in matchers)
    return Silence("s1", parsed, start, start + timedelta(seconds=seconds), "ops", "maintenance")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def pass_time(runtime: Runtime, seconds: float) -> None:
    """Sweep and deliver at a later time."""
    sweep(runtime, now=after(seconds))
    run_until_quiet(runtime, after(seconds))


def counters(store: SqlStore) -> dict[tuple[str, str], int]:
    """Read the counters."""
    return {(row.name, row.label): row.value for row in rows(store, COUNTERS)}


def test_one_teams_silence_does_not_mute_the_same_failure_of_another(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """One deployment fails for two teams. The other team is notified, also if the silenced team failed first."""
    AdminStore(store.engine).add_silence(silence('team="search"'), now=NOW)
    ingest(batch(failed("a")), runtime, now=NOW)
    ingest(batch(failed("b"), failed("c").model_copy(update={"team_id": "billing"})), runtime, now=NOW)
    run_until_quiet(runtime, NOW)

    assert [(message.labels["team"], message.count) for message in outbox.sent] == [("billing", 1)]


def test_a_failure_of_two_teams_reaches_the_receivers_of_both(runtime: Runtime, outbox: Outbox) -> None:
    """If a route matches the team, an alert belongs to one team. Otherwise one alert has both."""
    routes = (Route((parse('team="search"'),), "search"), Route((parse('team="billing"'),), "billing"))
    receivers = {"all": ("outbox",), "search": ("outbox",), "billing": ("outbox",)}
    both = batch(failed("a"), failed("b").model_copy(update={"team_id": "billing"}))
    router = replace(runtime.router, root=Route(receiver="all", routes=routes), receivers=receivers)
    ingest(both, replace(runtime, router=router), now=NOW)
    run_until_quiet(runtime, NOW)
    assert sorted(message.labels["team"] for message in outbox.sent) == ["billing", "search"]

    ingest(replace(both, batch_id="again"), runtime, now=after(1))
    run_until_quiet(runtime, after(1))
    assert [message.facts["By team"] for message in outbox.sent[2:]] == ["billing ×1, search ×1"]


def test_a_silenced_failure_is_recorded_counted_and_not_sent(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Other teams' failures are notified."""
    AdminStore(store.engine).add_silence(silence('team="search"'), now=NOW)
    ingest(
        batch(failed("a"), failed("b").model_copy(update={"team_id": "billing", "model_group": "x"})), runtime, now=NOW
    )
    run_until_quiet(runtime, NOW)
    pass_time(runtime, 11)

    assert [message.labels["team"] for message in outbox.sent] == ["billing"]
    assert len(rows(store, ALERTS)) == 2
    assert counters(store)["muted", "silence"] >= 1
    found = AdminStore(store.engine).alerts.search(AlertFilter(suppressed=True))
    assert [row.labels["team"] for row in found.alerts] == ["search"]
    assert {row.last_suppressed_by for row in rows(store, ALERTS)} == {"silence s1", None}


def test_a_stored_silence_that_cannot_be_read_mutes_nothing_and_is_reported(
    runtime: Runtime, outbox: Outbox, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier version accepted expressions that RE2 refuses.

    Other silences still apply, and each process logs it once.
    """
    admin = AdminStore(store.engine)
    admin.add_silence(silence('team="billing"'), now=NOW)
    old = {"starts_at": NOW, "ends_at": after(60), "author": "ops", "reason": "old", "created_at": NOW}
    stored = (['team="search"', 'user=~"(?!x).*"'], ['user!~"(a)\\1"'], ["what is this"])
    rows_of_old = [{"id": f"old{n}", "matchers": matchers, **old} for n, matchers in enumerate(stored)]
    store.run(lambda tx: tx.connection.execute(SILENCES.insert(), rows_of_old))
    for _ in range(2):
        ingest(
            batch(failed("a"), failed("b").model_copy(update={"team_id": "billing"})),
            runtime,
            now=NOW,
        )
    run_until_quiet(runtime, NOW)

    assert [message.labels["team"] for message in outbox.sent] == ["search"]
    problems = {one.id: one.problem or "" for one in admin.silences(now=NOW)}
    assert [word in problems[f"old{n}"] for n, word in enumerate(("(?!", "\\1", "what is this"))] == [True] * 3
    assert problems["s1"] == ""
    assert [one.id for one in admin.silences(now=NOW) if one.matches({"team": "search", "user": "y"})] == []
    said = [record.getMessage() for record in caplog.records if "is not applied" in record.getMessage()]
    assert len(said) == len(set(said)) <= 3


def test_a_condition_that_outlasts_its_silence_is_notified(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """It resolves like any other condition."""
    AdminStore(store.engine).add_silence(silence('alert_type="llm_requests_hanging"', seconds=30), now=NOW)
    ingest(batch(announced("a")), runtime, now=NOW)
    for seconds in (1, 10, 29):
        pass_time(runtime, seconds)
    assert outbox.sent == []

    pass_time(runtime, 33)
    ingest(batch(answered("a", announced=True)), runtime, now=after(40))
    pass_time(runtime, 41)

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    assert counters(store)["muted", "silence"] == 1


def test_a_condition_that_ends_while_silenced_is_never_notified(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """A resolving message without a firing one would only confuse."""
    AdminStore(store.engine).add_silence(silence('alert_type="llm_requests_hanging"'), now=NOW)
    ingest(batch(announced("a")), runtime, now=NOW)
    ingest(batch(answered("a", announced=True)), runtime, now=after(1))
    pass_time(runtime, 5)
    pass_time(runtime, 100)

    assert [message for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING] == []
    assert all(row.open_fingerprint is None for row in rows(store, ALERTS) if row.type == "llm_requests_hanging")


def test_a_silenced_end_reaches_the_notified_channels(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A silence that begins after the firing message does not suppress the resolving one."""
    ingest(batch(announced("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    AdminStore(store.engine).add_silence(silence('model=~".*"'), now=after(1))
    ingest(batch(answered("a", announced=True)), runtime, now=after(2))
    pass_time(runtime, 3)

    assert [message.step for message in outbox.sent][:2] == [Step.FIRING, Step.RESOLVED]


def condition(alert_type: AlertType, **labels: str) -> Alert:
    """Return an alert of a type."""
    return Alert(alert_type, Severity.HIGH, labels, f"{alert_type.value}", NOW, NOW, labels=labels)


def test_an_outage_mutes_the_failures_of_its_deployment_while_it_lasts(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Failures elsewhere are notified. After the outage its own failures are, too."""
    outage = condition(AlertType.OUTAGE_ALERTS, deployment="d1")
    store.run(lambda tx: claim(tx, outage, runtime, now=NOW))
    for deployment in ("d1", "d2"):
        store.run(
            partial(claim, alert=condition(AlertType.LLM_EXCEPTIONS, deployment=deployment), runtime=runtime, now=NOW)
        )
    run_until_quiet(runtime, NOW)
    assert [(message.type, message.labels["deployment"]) for message in outbox.sent] == [
        (AlertType.OUTAGE_ALERTS, "d1"),
        (AlertType.LLM_EXCEPTIONS, "d2"),
    ]
    assert counters(store)["muted", "alert"] == 1

    found = store.run(lambda tx: tx.alerts.find_open(outage.fingerprint))
    assert found is not None
    store.run(lambda tx: resolve(tx, found, runtime, now=after(20)))
    pass_time(runtime, 21)
    own = condition(AlertType.LLM_EXCEPTIONS, deployment="d1")
    later = replace(own, first_at=after(40), last_at=after(40))
    store.run(lambda tx: claim(tx, later, runtime, now=after(40)))
    run_until_quiet(runtime, after(40))
    assert (outbox.sent[-1].type, outbox.sent[-1].labels["deployment"]) == (AlertType.LLM_EXCEPTIONS, "d1")


def test_no_alert_mutes_itself_and_missing_labels_are_never_equal(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """A rule whose source and target are equal mutes only other alerts."""
    everything = (parse('alert_type=~".+"'),)
    runtime = replace(runtime, inhibitions=(Inhibition(everything, everything, ("region",)),))
    for region in ({"region": "eu"}, {"region": "eu", "model": "m"}, {"model": "n"}, {"model": "o"}):
        store.run(partial(claim, alert=condition(AlertType.OUTAGE_ALERTS, **region), runtime=runtime, now=NOW))
    run_until_quiet(runtime, NOW)

    assert len(outbox.sent) == 3


def test_a_condition_without_notified_channels_mutes_nothing(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The outage's type is disabled, so the failures of its deployment are notified."""
    types = runtime.router.types - {AlertType.OUTAGE_ALERTS}
    runtime = replace(runtime, router=replace(runtime.router, types=types))
    for alert_type in (AlertType.OUTAGE_ALERTS, AlertType.LLM_EXCEPTIONS):
        store.run(partial(claim, alert=condition(alert_type, deployment="d1"), runtime=runtime, now=NOW))
    run_until_quiet(runtime, NOW)

    assert [message.type for message in outbox.sent] == [AlertType.LLM_EXCEPTIONS]


def test_reminders_are_sent_until_a_condition_is_acknowledged(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Each repeat interval has a message of its own. The resolving message is still sent."""
    ingest(batch(announced("a")), runtime, now=NOW)
    for seconds in range(0, 150, 5):
        pass_time(runtime, seconds)
    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.REMINDER, Step.REMINDER]
    assert outbox.sent[1].headline.startswith("Still: ")

    assert AdminStore(store.engine).acknowledge(outbox.sent[0].alert_id, by="ops", note="on it", now=after(150))
    for seconds in range(150, 300, 5):
        pass_time(runtime, seconds)
    ingest(batch(answered("a", announced=True)), runtime, now=after(300))
    pass_time(runtime, 301)
    assert [message.step for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING] == [
        Step.FIRING,
        Step.REMINDER,
        Step.REMINDER,
        Step.RESOLVED,
    ]


def test_a_route_muted_at_this_hour_notifies_when_the_interval_ends(runtime: Runtime, outbox: Outbox) -> None:
    """A condition that lasts longer than the mute time is notified at its end."""
    minute = (NOW + timedelta(minutes=1)).time().replace(second=0)
    mute = TimeInterval(times=((time(0), minute),))
    route = Route(receiver="all", routes=(Route(receiver="all", mute=(mute,)),))
    runtime = replace(runtime, router=replace(runtime.router, root=route))
    ingest(batch(announced("a")), runtime, now=NOW)
    pass_time(runtime, 5)
    assert outbox.sent == []

    pass_time(runtime, 62)
    assert [message.step for message in outbox.sent] == [Step.FIRING]


def two_chats(runtime: Runtime, outbox: Outbox, *, mute_from: time, mute_to: time) -> tuple[Runtime, Outbox]:
    """Route everything to the outbox and, except for some hours, to another chat. Return the other chat."""
    other = Outbox()
    other.name = "other"
    nights = TimeInterval(times=((mute_from, mute_to),))
    routes = (Route(receiver="all", continues=True), Route(receiver="other", mute=(nights,)))
    router = replace(
        runtime.router,
        root=Route(receiver="all", routes=routes),
        receivers={"all": ("outbox",), "other": ("other",)},
    )
    return replace(runtime, router=router, channels={"outbox": outbox, "other": other}), other


def pass_time_for_both(runtime: Runtime, seconds: float) -> None:
    """Sweep and deliver to both chats at a later time."""
    pass_time(runtime, seconds)
    while deliver("other", runtime, now=after(seconds)):
        pass


def minute(number: int) -> time:
    """Return the time of day this many minutes after the first one."""
    return (NOW + timedelta(minutes=number)).time().replace(second=0)


def test_a_deferred_channel_is_notified_if_the_condition_still_holds(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """It is notified once, after its mute interval, also if somebody has acknowledged by then, and of the end."""
    runtime, other = two_chats(runtime, outbox, mute_from=time(0), mute_to=minute(1))
    ingest(batch(announced("a")), runtime, now=NOW)
    for seconds in (0, 20, 40):
        pass_time_for_both(runtime, seconds)
    assert ([message.step for message in outbox.sent], other.sent) == ([Step.FIRING], [])
    AdminStore(store.engine).acknowledge(outbox.sent[0].alert_id, by="ops", note="", now=after(41))

    for seconds in (55, 60, 65):
        pass_time_for_both(runtime, seconds)
    assert [(message.step, message.count) for message in other.sent] == [(Step.FIRING, 1)]
    ingest(batch(answered("a", announced=True)), runtime, now=after(80))
    pass_time_for_both(runtime, 81)
    notified = [[message.step for message in chat.sent] for chat in (outbox, other)]
    assert notified == [[Step.FIRING, Step.RESOLVED]] * 2


def test_a_condition_that_ends_while_a_channel_is_muted_resolves_on_the_others(
    runtime: Runtime, outbox: Outbox
) -> None:
    """A channel that was not notified of the condition is not notified of its end."""
    runtime, other = two_chats(runtime, outbox, mute_from=time(0), mute_to=minute(1))
    ingest(batch(announced("a")), runtime, now=NOW)
    pass_time_for_both(runtime, 0)
    ingest(batch(answered("a", announced=True)), runtime, now=after(1))
    for seconds in (2, 60, 120):
        pass_time_for_both(runtime, seconds)

    assert ([message.step for message in outbox.sent], other.sent) == ([Step.FIRING, Step.RESOLVED], [])


def test_a_rise_is_deferred_for_a_muted_channel(runtime: Runtime, outbox: Outbox) -> None:
    """The channel was notified of the first level. An active silence takes precedence."""
    runtime, other = two_chats(runtime, outbox, mute_from=minute(1), mute_to=minute(2))
    minor = condition(AlertType.OUTAGE_ALERTS, deployment="d")
    runtime.store.run(lambda tx: claim(tx, minor, runtime, now=NOW))
    pass_time_for_both(runtime, 1)
    runtime.store.run(lambda tx: claim(tx, replace(minor, level=2), runtime, now=after(70)))
    pass_time_for_both(runtime, 71)
    assert [len(chat.sent) for chat in (outbox, other)] == [2, 1]

    assert isinstance(runtime.store, SqlStore)
    AdminStore(runtime.store.engine).add_silence(silence('deployment="d"', seconds=130), now=NOW)
    pass_time_for_both(runtime, 125)
    assert len(other.sent) == 1
    pass_time_for_both(runtime, 131)
    assert [message.step for message in other.sent][:2] == [Step.FIRING, Step.FIRING]


def test_a_rise_ends_an_acknowledgement(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The acknowledgement was for a lower level, so reminders continue."""
    minor = condition(AlertType.CHANNEL_BROKEN, channel="d")
    store.run(lambda tx: claim(tx, minor, runtime, now=NOW))
    pass_time(runtime, 1)
    AdminStore(store.engine).acknowledge(outbox.sent[0].alert_id, by="ops", note="known", now=after(2))
    store.run(lambda tx: claim(tx, replace(minor, level=2), runtime, now=after(10)))
    pass_time(runtime, 75)

    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.FIRING, Step.REMINDER]
    assert [(row.acked_at, row.acked_by, row.ack_note) for row in rows(store, ALERTS)] == [(None, None, None)]


def test_a_summary_after_a_silence_divides_its_count(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """It leaves out what the silence muted before."""
    ingest(batch(failed("a")), runtime, now=NOW)
    AdminStore(store.engine).add_silence(silence('alert_type="llm_exceptions"', seconds=12), now=NOW)
    ingest(batch(*(failed(f"b{n}") for n in range(20))), runtime, now=after(5))
    pass_time(runtime, 11)
    ingest(batch(failed("c"), failed("d")), runtime, now=after(13))
    pass_time(runtime, 22)

    assert [(message.count, message.facts.get("By team")) for message in outbox.sent] == [(1, None), (2, "search ×2")]


def counts(outbox: Outbox, step: Step) -> list[int]:
    """Return what the messages of a step counted."""
    return [message.count for message in outbox.sent if message.step is step]


def test_occurrences_in_a_silence_are_in_no_later_summary(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The silence ends before the summary is due."""
    ingest(batch(failed("a")), runtime, now=NOW)
    AdminStore(store.engine).add_silence(silence('deployment="d1"', seconds=5), now=NOW)
    for number in range(19):
        ingest(batch(failed(f"s{number}", at=after(2))), runtime, now=after(2))
    pass_time(runtime, 11)
    assert (counts(outbox, Step.NOTICE), counts(outbox, Step.SUMMARY)) == ([1], [])

    ingest(batch(failed("b", at=after(11))), runtime, now=after(11))
    ingest(batch(failed("c", at=after(11))), runtime, now=after(11))
    pass_time(runtime, 22)
    pass_time(runtime, 60)
    assert counts(outbox, Step.NOTICE) + counts(outbox, Step.SUMMARY) == [1, 2]
    assert outbox.sent[-1].facts["By team"] == "search ×2"


def test_a_silenced_failure_is_announced_at_once_when_it_happens_again_after_the_silence(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Nothing was sent about it, so it is the first notice, and it does not count what the silence suppressed."""
    AdminStore(store.engine).add_silence(silence('deployment="d1"', seconds=5), now=NOW)
    for number in range(3):
        ingest(batch(failed(f"s{number}")), runtime, now=after(number))
    ingest(batch(failed("b", at=after(6))), runtime, now=after(6))
    run_until_quiet(runtime, after(6))

    assert [(message.step, message.count, message.total) for message in outbox.sent] == [(Step.NOTICE, 1, 4)]


def test_a_failure_of_an_outage_that_is_reported_after_its_end_belongs_to_the_outage(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Late events are judged by when they happened."""
    outage = replace(condition(AlertType.OUTAGE_ALERTS, deployment="d1"), last_at=after(60))
    store.run(lambda tx: claim(tx, outage, runtime, now=NOW))
    found = store.run(lambda tx: tx.alerts.find_open(outage.fingerprint))
    assert found is not None
    store.run(lambda tx: resolve(tx, found, runtime, now=after(100)))
    ingest(batch(failed("late", at=after(30))), runtime, now=after(300))
    run_until_quiet(runtime, after(300))
    assert [message.type for message in outbox.sent if message.step is Step.NOTICE] == []

    ingest(batch(failed("new", at=after(301))), runtime, now=after(301))
    run_until_quiet(runtime, after(301))
    assert counts(outbox, Step.NOTICE) == [1]


def test_a_condition_of_hanging_calls_counts_only_those_that_hang_when_its_silence_ends(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Its headline has the age of now."""
    AdminStore(store.engine).add_silence(silence('alert_type="llm_requests_hanging"', seconds=30), now=NOW)
    ingest(batch(*(announced(name) for name in "abc")), runtime, now=NOW)
    ingest(batch(answered("a", announced=True), answered("b", announced=True)), runtime, now=after(5))
    pass_time(runtime, 31)

    (message,) = (message for message in outbox.sent if message.type is AlertType.LLM_REQUESTS_HANGING)
    assert (message.count, message.total) == (1, 3)
    assert message.headline == "Requests are hanging - 34s without progress on gpt-4o"


def test_calls_that_hung_are_announced_as_slow_and_not_summed_up(runtime: Runtime, outbox: Outbox) -> None:
    """The condition of hanging calls says how many ended. Slow calls of another model are summed up."""
    ingest(batch(*(announced(name) for name in "abc")), runtime, now=NOW)
    ingest(batch(answered("a", 9, announced=True), answered("x", 9, model_group="o3")), runtime, now=NOW)
    ends = [answered(name, 9, announced=True) for name in "bc"]
    ingest(batch(*ends, *(answered(name, 9, model_group="o3") for name in "yz")), runtime, now=after(5))
    for seconds in (6, 11, 40, 400):
        pass_time(runtime, seconds)

    slow = [(one.labels["model"], one.step) for one in outbox.sent if one.type is AlertType.LLM_TOO_SLOW]
    assert sorted(slow) == [("gpt-4o", Step.NOTICE), ("o3", Step.NOTICE), ("o3", Step.SUMMARY)]
    assert [one.headline for one in outbox.sent if one.step is Step.SUMMARY] == [
        "Responses are slow - 2 response times > Alerting threshold: 3s (o3)"
    ]
