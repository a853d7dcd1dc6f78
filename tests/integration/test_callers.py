"""Callers' problems on a real database: calls of other keys distinguish one key's failures from an outage."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.events import AttemptFailed, Event, RequestSucceeded
from alertworker.outages import callers
from alertworker.outages.callers import MAX_KEYS
from alertworker.outages.windows import Target
from alertworker.pipeline import Runtime, ingest
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.callers import CallerStatements
from tests.integration.harness import Outbox, batch, run_until_quiet
from tests.integration.test_credentials import cooled
from tests.integration.test_outages import after, attempt, ingest_at, lost, pass_time, saved, sent_of, success

KEYS = [f"{number:02d}" * 32 for number in range(40)]
OWN = KEYS[7]
HEADLINE = "Calls of one key fail: app-7 (search) on gpt-4o"


def bad(seconds: float, key: str = OWN, deployment: str = "d1", **more: Any) -> AttemptFailed:
    names = {"key_hash": key, "key_alias": f"app-{KEYS.index(key)}"}
    return attempt(seconds, deployment=deployment, **more).model_copy(update=names)


def good(seconds: float, key: str, deployment: str = "d1") -> RequestSucceeded:
    return success(seconds, deployment=deployment, model_group="gpt-4o", key_hash=key, team_id="other")


def others(start: int, count: int = 30, deployment: str = "d1") -> list[Event]:
    """Return answered calls of three other keys, one a second."""
    return [good(start + n, KEYS[n % 3], deployment) for n in range(count)]


def test_failures_of_one_key_are_its_problem(runtime: Runtime, outbox: Outbox) -> None:
    """It is Low, has the key and the team, and inhibits the cooldowns that it causes."""
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    ingest_at(runtime, cooled(31, status=503), at=31)
    run_until_quiet(runtime, after(31))
    (message,) = outbox.sent
    assert (message.type, message.severity, message.step) == (AlertType.CALLER_ERRORS, Severity.LOW, Step.FIRING)
    assert message.headline == HEADLINE
    assert message.labels == {"entity": OWN, "key": "app-7", "team": "search"}
    assert message.facts["Attempts"] == "10 of the 40 calls on azure/gpt-4o (d1) failed, all of this key"
    assert message.since == after(0)

    pass_time(runtime, 60)
    assert len(outbox.sent) == 1
    pass_time(runtime, 1_000)
    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    assert outbox.sent[1].headline == f"Resolved after 27 s: {HEADLINE}"
    assert outbox.sent[1].facts["State"] == "for 15 min no failures pointed to this key alone"


def test_reminders_and_the_end_have_the_totals(runtime: Runtime, outbox: Outbox) -> None:
    """The last window that was judged is a part of the problem, and one deployment of several."""
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    run_until_quiet(runtime, after(30))
    ingest_at(runtime, *others(120), *[bad(120 + n) for n in range(0, 30, 3)], at=150)
    ingest_at(runtime, *others(300, 60, "d2"), *[bad(300 + n, deployment="d2") for n in range(0, 30, 3)], at=360)
    ingest_at(runtime, bad(362, KEYS[1]), at=362)
    run_until_quiet(runtime, after(400))
    pass_time(runtime, 2_000)
    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]
    where = "azure/gpt-4o (d1), azure/gpt-4o (d2)"
    assert outbox.sent[1].facts["Deployments"] == where
    assert outbox.sent[1].facts["Attempts"] == f"30 of the 120 calls on {where} failed, all of this key"


def test_it_names_its_deployments_and_begins_at_the_first_failure(runtime: Runtime, outbox: Outbox) -> None:
    """An id means nothing to a reader."""
    named = {"model": "vertex_ai/gemini-pro", "provider": "vertex_ai", "region": "us-central1"}
    hash_id = "3f" * 32
    failures = [bad(n, deployment=hash_id).model_copy(update=named) for n in range(3, 30, 3)]
    ingest_at(runtime, *others(0, 30, hash_id), *failures, at=30)
    run_until_quiet(runtime, after(30))
    (message,) = outbox.sent
    assert message.facts["Deployments"] == "vertex_ai/gemini-pro in us-central1 (3f3f3f3f…)"
    assert message.facts["Attempts"].startswith("9 of the 39 calls on vertex_ai/gemini-pro in us-central1 (3f3f3f3f…) ")
    assert {one.partition(" · ")[2] for one in message.members} == {
        "ServiceUnavailableError 503 · vertex_ai/gemini-pro in us-central1 (3f3f3f3f…)"
    }
    assert message.since == after(3)


def test_a_key_without_a_name_inhibits_its_failed_calls(runtime: Runtime, outbox: Outbox) -> None:
    """Both have the first digits of its hash as the label. Failures of other keys are notified, also later ones."""
    ingest_at(runtime, *others(0), *[bad(n).model_copy(update={"key_alias": None}) for n in range(0, 30, 3)], at=30)
    ingest_at(runtime, *[lost(31 + n, key_hash=OWN) for n in range(3)], at=35)
    run_until_quiet(runtime, after(35))
    assert [message.type for message in outbox.sent] == [AlertType.CALLER_ERRORS]
    assert outbox.sent[0].labels["key"] == "07070707…"

    ingest_at(runtime, lost(40, key_hash=OWN), lost(40, call_id="b", key_hash=KEYS[1]), at=40)
    run_until_quiet(runtime, after(40))
    assert [message.type for message in outbox.sent] == [AlertType.CALLER_ERRORS, AlertType.LLM_EXCEPTIONS]


def test_a_failure_that_is_counted_before_the_lock_keeps_it_open(
    runtime: Runtime, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep found the problem quiet, and another worker counted a failure before the sweep's lock."""
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    found = [callers.fingerprint(OWN)]
    monkeypatch.setattr(CallerStatements, "quiet_callers", lambda *_args, **_more: found)
    pass_time(runtime, 60)
    assert [step for step, _ in sent_of(outbox, AlertType.CALLER_ERRORS)] == [Step.FIRING]


def test_failures_of_others_make_it_an_outage(runtime: Runtime, outbox: Outbox) -> None:
    """The windows are judged again, and the caller's problem resolves."""
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    run_until_quiet(runtime, after(30))
    ingest_at(runtime, *[bad(30 + n, KEYS[n % 3 + 10]) for n in range(10)], saved(39), at=40)
    run_until_quiet(runtime, after(40))
    assert [step for step, _ in sent_of(outbox, AlertType.CALLER_ERRORS)] == [Step.FIRING, Step.RESOLVED]
    assert sent_of(outbox) == [(Step.FIRING, "Major Service Outage: azure/gpt-4o (d1)")]


def test_a_problem_on_another_deployment_stays_open(runtime: Runtime, outbox: Outbox) -> None:
    """An outage of one deployment does not end the problem that the key has on another."""
    for deployment in ("d1", "d2"):
        ingest_at(runtime, *others(0, 30, deployment), *[bad(n, deployment=deployment) for n in range(0, 30, 3)], at=30)
    ingest_at(runtime, *[bad(30 + n, KEYS[n % 3 + 10]) for n in range(10)], saved(39), at=40)
    run_until_quiet(runtime, after(40))
    assert [step for step, _ in sent_of(outbox, AlertType.CALLER_ERRORS)] == [Step.FIRING]
    assert len(sent_of(outbox)) == 1


def test_an_outage_of_another_deployment_does_not_end_it(runtime: Runtime, outbox: Outbox) -> None:
    """The key fails there, too, long after its last failure on the deployment of its problem."""
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    ingest_at(runtime, *[bad(330 + n, key, "d2") for n, key in enumerate([OWN, *KEYS[10:30]])], at=360)
    run_until_quiet(runtime, after(360))
    assert [step for step, _ in sent_of(outbox, AlertType.CALLER_ERRORS)] == [Step.FIRING]
    assert len(sent_of(outbox)) == 1


def test_a_silenced_problem_fires_later_only_if_calls_failed_lately(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The last failure is 8 min ago when the silence ends."""
    one = Silence("s1", (parse('alert_type="caller_errors"'),), after(0), after(500), "ops", "known")
    AdminStore(store.engine).add_silence(one, now=after(0))
    ingest_at(runtime, *others(0), *[bad(n) for n in range(0, 30, 3)], at=30)
    for second in (40, 501, 520, 2_000):
        pass_time(runtime, second)
    assert sent_of(outbox, AlertType.CALLER_ERRORS) == []


def test_with_two_keys_it_is_an_outage(runtime: Runtime, outbox: Outbox) -> None:
    """No other key shows that the deployment works."""
    ingest_at(runtime, *[good(n, KEYS[0]) for n in range(30)], *[bad(n) for n in range(0, 30, 3)], saved(29), at=30)
    run_until_quiet(runtime, after(30))
    assert [message.type for message in outbox.sent] == [AlertType.OUTAGE_ALERTS]


def timed_out(*deployments: str) -> list[Event]:
    """Return calls of one key that fail on all of the deployments, five on each, in 14 s."""
    regions = dict(zip(deployments, ("eastus", "westeurope", "japaneast"), strict=False))
    return [bad(60 + 3 * n, deployment=name, region=regions[name]) for n in range(5) for name in deployments]


def used(start: int, deployment: str, region: str, count: int = 12) -> list[Event]:
    """Return answered calls of four other keys."""
    events = [good(start + 5 * n, KEYS[n % 4], deployment) for n in range(count)]
    return [event.model_copy(update={"region": region}) for event in events]


def test_a_key_that_fails_everywhere_is_its_own_problem_without_other_calls(runtime: Runtime, outbox: Outbox) -> None:
    """At little traffic no other key calls the deployment in that time. Other regions answer other keys."""
    ingest_at(runtime, *used(0, "d1", "eastus"), at=55)
    ingest_at(runtime, *used(30, "d2", "westeurope"), *used(30, "d3", "japaneast"), *timed_out("d1", "d2", "d3"), at=90)
    run_until_quiet(runtime, after(90))
    assert [message.type for message in outbox.sent] == [AlertType.CALLER_ERRORS]


def test_a_rare_key_that_meets_a_dead_deployment_found_an_outage(runtime: Runtime, outbox: Outbox) -> None:
    """The ledger alone would blame the key. Its calls succeed elsewhere."""
    ingest_at(runtime, *used(0, "d1", "eastus"), at=55)
    ingest_at(runtime, *used(30, "d2", "westeurope"), *used(30, "d3", "japaneast"), *timed_out("d1"), at=90)
    run_until_quiet(runtime, after(90))
    assert sent_of(outbox) == [(Step.FIRING, "Minor Service Outage: azure/gpt-4o in eastus (d1)")]


def test_cutting_and_order_change_nothing(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """The smallest of many keys in one bucket count, in any order, and each batch counts once."""
    events = [*(bad(n / 10, key) for n, key in enumerate([*KEYS, *KEYS])), *(saved(n) for n in range(8))]
    Random(5).shuffle(events)
    batches = [batch(*events[start : start + 7]) for start in range(0, len(events), 7)]
    for one in [*batches, *batches[::2]]:
        ingest(one, runtime, now=after(10))
    start = int(after(0).timestamp())
    kept = store.run(lambda tx: tx.callers.failing_keys(Target("d1"), start=start, end=start + 10))
    assert [(row.key_hash, row.failed) for row in kept] == [(key, 2) for key in sorted(KEYS)[:MAX_KEYS]]
    run_until_quiet(runtime, after(10))
    assert [message.type for message in outbox.sent] == [AlertType.OUTAGE_ALERTS]
