"""An open condition mutes what it explains only on the channels that were notified of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.pipeline import Runtime, deliver, sweep
from alertworker.pipeline.notify import claim, resolve
from alertworker.routing.inhibitions import Inhibition
from alertworker.routing.matchers import parse
from alertworker.routing.router import Route
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import NOW, Outbox, rows

CHANNELS = ("ops", "models", "pager")


@pytest.fixture
def outboxes() -> dict[str, Outbox]:
    """Return channels for each kind of receiver."""
    found = {name: Outbox() for name in CHANNELS}
    for name, outbox in found.items():
        outbox.name = name
    return found


@pytest.fixture
def runtime(runtime: Runtime, outboxes: dict[str, Outbox]) -> Runtime:
    """Route regions to "ops", deployments to "ops" and "models", failed calls to "models" and "pager"."""

    def route(alert_type: str, receiver: str) -> Route:
        return Route((parse(f'alert_type="{alert_type}"'),), receiver)

    routes = (
        route("region_outage_alerts", "region"),
        route("outage_alerts", "outage"),
        route("llm_exceptions", "calls"),
    )
    receivers = {"region": ("ops",), "outage": ("ops", "models"), "calls": ("models", "pager"), "all": CHANNELS}
    router = replace(
        runtime.router, root=Route(receiver="all", routes=routes), receivers=receivers, repeat_interval=14_400.0
    )
    return replace(runtime, router=router, channels=dict(outboxes))


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


REGION = {"provider": "azure", "region": "eu"}


def raised(runtime: Runtime, alert_type: AlertType, seconds: float = 0, **labels: str) -> OpenAlert:
    """Raise an alert of a deployment, or of the region if no deployment is given."""
    known = REGION | labels
    alert = Alert(alert_type, Severity.HIGH, known, alert_type.value, after(seconds), after(seconds))
    return runtime.store.run(partial(claim, alert=alert, runtime=runtime, now=after(seconds)))


def settle(runtime: Runtime, seconds: float) -> None:
    """Sweep and deliver everything."""
    sweep(runtime, now=after(seconds))
    for name in CHANNELS:
        while deliver(name, runtime, now=after(seconds)):
            pass


def notified(outboxes: dict[str, Outbox]) -> dict[str, list[tuple[Step, str]]]:
    return {name: [(one.step, one.type.value) for one in box.sent] for name, box in outboxes.items() if box.sent}


def test_a_channel_without_the_cause_is_notified_of_the_effect(
    runtime: Runtime, outboxes: dict[str, Outbox], store: SqlStore
) -> None:
    """Only "ops" is notified of the region. The pager is notified of no outage at all."""
    raised(runtime, AlertType.REGION_OUTAGE_ALERTS)
    raised(runtime, AlertType.OUTAGE_ALERTS, deployment="d1")
    raised(runtime, AlertType.LLM_EXCEPTIONS, deployment="d1")
    settle(runtime, 1)

    assert notified(outboxes) == {
        "ops": [(Step.FIRING, "region_outage_alerts")],
        "models": [(Step.FIRING, "outage_alerts")],
        "pager": [(Step.NOTICE, "llm_exceptions")],
    }
    deferred = {row.type: row.deferred_channels for row in rows(store, ALERTS)}
    assert deferred["outage_alerts"] == ["ops"]


def test_a_muted_channel_is_notified_of_an_alert_that_outlasts_its_cause(
    runtime: Runtime, outboxes: dict[str, Outbox]
) -> None:
    """The region recovers, one deployment does not. The end is sent to both channels."""
    region = raised(runtime, AlertType.REGION_OUTAGE_ALERTS)
    outage = raised(runtime, AlertType.OUTAGE_ALERTS, deployment="d1")
    settle(runtime, 1)
    runtime.store.run(partial(resolve, alert=region, runtime=runtime, now=after(20)))
    settle(runtime, 61)
    settle(runtime, 62)
    runtime.store.run(partial(resolve, alert=outage, runtime=runtime, now=after(90)))
    settle(runtime, 91)

    assert [step for step, alert_type in notified(outboxes)["ops"] if alert_type == "outage_alerts"] == [
        Step.FIRING,
        Step.RESOLVED,
    ]
    assert [step for step, _ in notified(outboxes)["models"]] == [Step.FIRING, Step.RESOLVED]


def test_a_suppressed_alert_mutes_on_the_channels_that_know_its_cause(
    runtime: Runtime, outboxes: dict[str, Outbox], store: SqlStore
) -> None:
    """The region's outage is notified everywhere, so that of the deployment nowhere. The failed calls say no more."""
    receivers = dict.fromkeys(("region", "outage", "calls"), CHANNELS)
    rules = (
        Inhibition((parse('alert_type="region_outage_alerts"'),), (parse('alert_type="outage_alerts"'),), ("region",)),
        Inhibition((parse('alert_type="outage_alerts"'),), (parse('alert_type="llm_exceptions"'),), ("deployment",)),
    )
    everywhere = replace(runtime, router=replace(runtime.router, receivers=receivers), inhibitions=rules)
    raised(everywhere, AlertType.REGION_OUTAGE_ALERTS)
    raised(everywhere, AlertType.OUTAGE_ALERTS, deployment="d1")
    raised(everywhere, AlertType.LLM_EXCEPTIONS, deployment="d1")
    settle(everywhere, 1)

    assert notified(outboxes) == {name: [(Step.FIRING, "region_outage_alerts")] for name in CHANNELS}
    ids = {row.type: row.id for row in rows(store, ALERTS)}
    reasons = {row.type: row.last_suppressed_by for row in rows(store, ALERTS)}
    assert reasons["outage_alerts"] == f"alert {ids['region_outage_alerts']}"
    assert reasons["llm_exceptions"] == f"alert {ids['outage_alerts']}"


def test_a_silenced_cause_mutes_nothing(runtime: Runtime, outboxes: dict[str, Outbox], store: SqlStore) -> None:
    """No channel knows of the outage, so each is notified of the failed calls."""
    matchers = (parse('alert_type="outage_alerts"'),)
    AdminStore(store.engine).add_silence(Silence("s", matchers, NOW, after(3_600), "ops", "r"), now=NOW)
    raised(runtime, AlertType.OUTAGE_ALERTS, deployment="d1")
    raised(runtime, AlertType.LLM_EXCEPTIONS, deployment="d1")
    settle(runtime, 1)

    assert notified(outboxes) == {
        "models": [(Step.NOTICE, "llm_exceptions")],
        "pager": [(Step.NOTICE, "llm_exceptions")],
    }


def test_a_channel_that_failed_for_good_does_not_count_as_notified(
    runtime: Runtime, outboxes: dict[str, Outbox], store: SqlStore
) -> None:
    """A dead message reached no receiver."""
    raised(runtime, AlertType.OUTAGE_ALERTS, deployment="d1")
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE notifications SET status = 'dead' WHERE channel = 'models'")
    raised(runtime, AlertType.LLM_EXCEPTIONS, deployment="d1")
    settle(runtime, 1)

    assert notified(outboxes)["models"] == [(Step.NOTICE, "llm_exceptions")]
