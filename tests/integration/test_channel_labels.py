"""People never see a name that is made of a hash: each channel has the label of what configures it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from alertworker.alerts.alert import Alert, fingerprint_of
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.cli import cli
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.pipeline import Runtime, deliver
from alertworker.pipeline.notify import claim
from alertworker.routing.router import Route
from alertworker.settings.channel_config import channel_name
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, rows
from tests.integration.pages import ADMIN, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
URL = "https://hooks.slack.com/services/T0/B0/revoked"
NAME = channel_name("slack", URL)
LABELS = ChannelLabels({NAME: "SLACK_WEBHOOK_URL"})


class Slack(Outbox):
    """A Slack channel without a name of the operator's."""

    name = NAME
    kind = "slack"


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def pager() -> Outbox:
    return Outbox()


@pytest.fixture
def runtime(runtime: Runtime, slack: Slack, pager: Outbox) -> Runtime:
    """Return a runtime in which every alert goes to Slack and to a pager."""
    router = replace(runtime.router, root=Route(receiver="all"), receivers={"all": (NAME, "outbox")})
    channels = {NAME: slack, "outbox": pager}
    return replace(runtime, channels=channels, router=router, labels=LABELS, places={NAME: "environment SLACK"})


def fail(runtime: Runtime, slack: Slack) -> None:
    """Lose an alert, because the webhook was revoked."""
    alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": "a"}, "Lost", NOW, NOW)
    runtime.store.run(lambda tx: claim(tx, alert, runtime, now=NOW))
    slack.failures = [DeliveryError("answered 404", Reason.GONE)] * 9
    deliver(NAME, runtime, now=NOW)


def test_nothing_that_people_see_has_the_hash(
    store: SqlStore,
    runtime: Runtime,
    slack: Slack,
    pager: Outbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pages, commands, metrics, messages and log lines."""
    fail(runtime, slack)
    while deliver("outbox", runtime, now=NOW + timedelta(seconds=30)):
        pass
    browser = signed_in(store, runtime)
    context = browser.client.app.state.context  # type: ignore[attr-defined]
    context.pages.channels[NAME] = "slack"
    context.pages.labels.by_name[NAME] = "SLACK_WEBHOOK_URL"
    alerts = [row.id for row in rows(store, ALERTS)]
    pages = [browser.get(path) for path in ("/", "/alerts", "/deadletters", *(f"/alerts/{one}" for one in alerts))]
    letter = next(link for link in pages[2].links("/deadletters/"))
    silence = browser.get(
        f"/silences/new?alert={next(r.id for r in rows(store, ALERTS) if r.type == 'channel_broken')}"
    )
    metrics = browser.client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    seen = {page.url: page.text for page in (*pages, browser.get(letter), silence)} | {"metrics": metrics}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("SLACK_WEBHOOK_URL", URL)
    lost = next(row.id for row in rows(store, NOTIFICATIONS) if row.status == "dead")
    commands = (
        ["doctor"],
        ["check"],
        ["check", "--json"],
        ["notifications"],
        ["notifications", "list", "--channel", "SLACK_WEBHOOK_URL", "--json"],
        ["notifications", "show", lost],
        ["deadletters", "list", "--channel", "SLACK_WEBHOOK_URL"],
        ["deadletters", "show", letter.rpartition("/")[2]],
    )
    for command in commands:
        result = CliRunner().invoke(cli, command)
        seen[" ".join(command)] = result.output
        assert "SLACK_WEBHOOK_URL" in result.output, command
    seen["log"] = caplog.text
    seen["messages"] = json.dumps([message.model_dump(mode="json") for message in pager.sent])

    assert [where for where, text in seen.items() if NAME in text] == []
    assert 'alertworker_channel_broken_seconds{channel="SLACK_WEBHOOK_URL"} ' in metrics
    assert "The channel SLACK_WEBHOOK_URL accepts no messages" in seen["messages"]
    assert "run alertworker test slack," in pages[0].text
    assert "lane SLACK_WEBHOOK_URL" in seen["doctor"]


def test_a_broken_channel_recovers_although_its_line_moved(
    runtime: Runtime, store: SqlStore, slack: Slack, pager: Outbox
) -> None:
    """The label of the open alert is an old one. Its reminders do not go to the broken channel, and it resolves."""
    runtime = replace(runtime, labels=ChannelLabels({NAME: "config.yaml:12"}))
    fail(runtime, slack)
    while deliver("outbox", runtime, now=NOW + timedelta(seconds=30)):
        pass
    [broken] = [row for row in rows(store, ALERTS) if row.type == "channel_broken"]
    assert broken.labels == {"channel": "config.yaml:12"}
    assert broken.fingerprint == fingerprint_of(AlertType.CHANNEL_BROKEN, {"channel": NAME})
    moved = replace(runtime, labels=ChannelLabels({NAME: "config.yaml:14"}))
    slack.failures = []
    later = NOW + timedelta(minutes=5)
    other = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": "b"}, "Other", later, later)
    moved.store.run(lambda tx: claim(tx, other, moved, now=later))
    while deliver(NAME, moved, now=later):
        pass
    while deliver("outbox", moved, now=later + timedelta(seconds=30)):  # the message was written after `later`
        pass

    assert not any(message.type is AlertType.CHANNEL_BROKEN for message in slack.sent)
    [resolved] = [message for message in pager.sent if message.step.value == "resolved"]
    assert resolved.facts["Channel"] == "config.yaml:14"
