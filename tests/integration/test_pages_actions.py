"""Pages with actions: silences and dead letters, on a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.cli.silences import silences
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.errors import BrokerUnavailable
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.pipeline.notify import claim
from alertworker.ports.alert_search import AlertFilter
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import SILENCES
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, Recorder, batch, failed, rows, run_until_quiet
from tests.integration.pages import Browser, context, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
BAD = b'{"type": "llm.request.failed", "call_id": 5, "key": "sk-abcdefghijklmnop", "html": "<b>bold</b>"}'
HASH = "0123456789abcdef" * 4


@pytest.fixture
def browser(store: SqlStore, runtime: Runtime) -> Browser:
    """Return a browser with a valid login."""
    return signed_in(store, runtime)


@pytest.fixture
def admin(store: SqlStore) -> AdminStore:
    return AdminStore(store.engine)


def test_a_silence_is_made_from_an_alert_looked_at_first_and_ended(
    runtime: Runtime, browser: Browser, admin: AdminStore
) -> None:
    """The form has the alert's labels. A label that is cut on the page is whole in the matcher."""
    ingest(batch(failed("a").model_copy(update={"key_alias": HASH})), runtime, now=NOW)
    [alert] = admin.alerts.search(AlertFilter()).alerts
    assert browser.get(f"/alerts/{alert.id}").links("/silences/new") == [f"/silences/new?alert={alert.id}"]
    form = browser.get(f"/silences/new?alert={alert.id}")
    assert HASH not in form.html
    assert {"alert_type", "model", "team"} <= set(form.form("/silences")["label"])

    fields = {"label": ["key", "team"], "matchers": 'severity!="High"', "reason": "<b>load</b>", "by": "Ada"}
    gone = browser.send(form, "/silences", **fields | {"label": ["key", "nonesuch"]}, do="add")
    assert (gone.status, "its label nonesuch no longer exists" in gone.text) == (422, True)
    preview = browser.send(form, "/silences", **fields | {"reason": ""}, do="preview")
    assert "Suppresses 1 open alert now" in preview.text
    refused = browser.send(preview, "/silences", reason="", do="add")
    assert (refused.status, "Enter a reason" in refused.text) == (422, True)
    preview = browser.send(form, "/silences", **fields, do="preview")
    assert preview.form("/silences")["label"] == ["key", "team"]
    assert admin.silences(now=None) == []

    made = browser.send(preview, "/silences", duration="4 hours", do="add")
    assert "The silence was added" in made.text
    assert "<b>load</b>" in made.text
    [silence] = admin.silences(now=None)
    assert [str(matcher) for matcher in silence.matchers] == [f'key="{HASH}"', 'team="search"', 'severity!="High"']
    assert (silence.author, silence.reason) == ("Ada", "<b>load</b>")
    assert silence.ends_at - silence.starts_at == timedelta(hours=4)
    assert silence.mutes({**alert.labels, "severity": "Low"}, now=datetime.now(UTC))

    path = f"/silences/{silence.id}/expire"
    assert browser.client.post(path, data={}).status_code == 403
    assert "The silence has ended" in browser.send(made, path).text
    assert browser.get("/silences").all("table") == []
    assert "ended" in browser.get("/silences?ended=1").text
    assert "had already ended" in browser.send(made, path).text


@pytest.mark.parametrize(
    ("days", "effect"),
    [(0, "Suppresses 1 open alert now"), (7, "Matches 1 open alert now, and suppresses those that")],
)
def test_the_command_and_the_page_count_the_same_suppressed_alerts(
    runtime: Runtime,
    store: SqlStore,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    effect: str,
) -> None:
    """A silence that starts later suppresses nothing yet."""
    ingest(batch(failed("a"), failed("b").model_copy(update={"team_id": "other"})), runtime, now=NOW)
    starts = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M}" if days else ""
    fields = {"matchers": 'team="search"', "reason": "", "by": "Ada", "starts": starts}
    page = browser.send(browser.get("/silences/new"), "/silences", **fields, do="preview").text
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    window = ["--start", f"{starts}Z"] if starts else []
    added = CliRunner().invoke(silences, ["add", 'team="search"', "--reason", "load", *window], catch_exceptions=False)

    assert effect in page
    assert effect in added.stderr


def test_a_silence_of_a_model_s_outage_mutes_no_other_model(
    store: SqlStore, runtime: Runtime, browser: Browser
) -> None:
    """Its label deployment is empty, which is true of many alerts. The form does not offer it."""
    labels = {"scope": "model", "model": "gpt-4o", "deployment": ""}
    one = Alert(AlertType.OUTAGE_ALERTS, Severity.HIGH, labels, "Down", NOW, NOW)
    number = store.run(lambda tx: claim(tx, one, runtime, now=NOW)).id

    form = browser.get(f"/silences/new?alert={number}")
    assert set(form.form("/silences")["label"]) == {"alert_type", "scope", "model"}
    assert 'deployment=""' not in form.text
    assert "deployment" not in browser.get(f"/alerts/{number}").text.partition("Labels")[2].partition("Messages")[0]


def test_a_silence_that_cannot_be_applied_is_named_by_the_page_and_the_doctor(
    browser: Browser, admin: AdminStore
) -> None:
    """An earlier version stored an expression that RE2 refuses."""
    now = datetime.now(UTC)
    old = {"starts_at": now, "ends_at": now + timedelta(hours=1), "author": "ops", "reason": "old", "created_at": now}
    row = {"id": "old1", "matchers": ['user=~"(?!x).*"'], **old}
    admin.on_connection(lambda connection: connection.execute(SILENCES.insert(), row))

    assert "Not applied: invalid regular expression" in browser.get("/silences").text
    assert "is not applied: invalid regular expression" in browser.get("/").text


def test_an_unknown_label_is_reported_before_it_is_silenced(browser: Browser) -> None:
    """The list shows it, too, for people who skip the preview."""
    form = browser.get("/silences/new")
    fields = {"matchers": '{sevrity="High", team="a"}', "reason": "load", "by": "Ada"}

    assert "did you mean severity?" in browser.send(form, "/silences", **fields, do="preview").text
    assert "did you mean severity?" in browser.send(form, "/silences", **fields, do="add").text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "would mute all alerts"),
        ({"matchers": "team"}, "invalid matcher"),
        ({"matchers": 'team=~"("'}, "invalid regular expression"),
        ({"matchers": 'team=~"(?!a).*"'}, "look-ahead"),
        ({"matchers": "{}"}, "would mute all alerts"),
        ({"matchers": "team=x", "reason": " "}, "Enter a reason"),
        ({"matchers": "team=x", "starts": "soon"}, "invalid time 'soon'"),
        ({"matchers": "team=x", "ends": "2020-01-01T00:00"}, "before it starts"),
        ({"matchers": "team=x", "ends": "9999-12-31T23:59"}, "Enter an earlier end"),
        ({"matchers": "team=x", "starts": "9999-12-31T12:00", "duration": "1 week"}, "Enter an earlier start"),
    ],
)
def test_an_invalid_silence_is_refused_with_the_reason_and_the_input_kept(
    browser: Browser, admin: AdminStore, fields: dict[str, str], wrong: str
) -> None:
    """Nothing is muted by mistake."""
    page = browser.send(browser.get("/silences/new"), "/silences", **{"reason": "why", "do": "add"} | fields)
    assert (page.status, wrong in page.text) == (422, True)
    assert page.form("/silences")["matchers"] == [fields.get("matchers", "")]
    assert admin.silences(now=None) == []


def test_a_maintenance_window_is_in_the_configured_zone(browser: Browser, admin: AdminStore) -> None:
    """A browser's time field has no zone."""
    start = (datetime.now(UTC) + timedelta(days=30)).replace(hour=12, minute=0, second=0, microsecond=0, month=1, day=5)
    start = start.replace(year=start.year + (start < datetime.now(UTC)))
    typed = {"matchers": "team=x", "reason": "w", "starts": f"{start:%Y-%m-%dT%H:%M}", "duration": "1 day", "do": "add"}
    page = browser.send(browser.get("/silences/new"), "/silences", **typed)
    assert "pending" in page.text
    assert admin.silences(now=None)[0].starts_at == start - timedelta(hours=1)


def dead(runtime: Runtime, outbox: Outbox) -> None:
    """Create a dead notification and a dead event."""
    outbox.failures = [DeliveryError("404 no_service", Reason.GONE)]
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(BatchMessage("b", b"[" + BAD + b"]", None), runtime, now=NOW + timedelta(seconds=1))


def test_dead_letters_are_found_read_and_replayed(
    store: SqlStore, runtime: Runtime, browser: Browser, admin: AdminStore, outbox: Outbox
) -> None:
    """They have the receiver's answer, no key-like string, and are replayed once each."""
    dead(runtime, outbox)
    page = browser.get("/deadletters")
    event, notification = (link.removeprefix("/deadletters/") for link in page.links("/deadletters/"))
    assert "gone: 404 no_service" in page.text
    assert browser.get("/deadletters?kind=event").links("/deadletters/") == [f"/deadletters/{event}"]
    assert browser.get("/deadletters?reason=gone&channel=outbox").links("/deadletters/") == [
        f"/deadletters/{notification}"
    ]
    shown = browser.get(f"/deadletters/{event}")
    assert "<b>bold</b>" in shown.text
    assert "sk-abcdefghijklmnop" not in shown.html
    shown = browser.get(f"/deadletters/{notification}")
    assert "404 no_service" in shown.text
    [raised] = admin.alerts.search(AlertFilter(type="llm_exceptions")).alerts
    assert shown.links("/alerts/") == [f"/alerts/{raised.id}"]

    assert browser.send(page, "/deadletters", do="replay").status == 422
    assert browser.client.post("/deadletters", data={"id": event, "do": "discard"}).status_code == 403
    done = browser.send(shown, "/deadletters", do="replay")
    assert "1 of 1 replayed" in done.text
    assert [row.status for row in rows(store, NOTIFICATIONS) if row.step == "notice:0"] == ["pending"]
    assert "1 of 2 replayed" in browser.send(page, "/deadletters", do="replay-shown").text
    assert isinstance(runtime.broker, Recorder)
    assert [json.loads(events) for _, events, _ in runtime.broker.resent] == [[json.loads(BAD)]]
    assert browser.get(f"/deadletters/{event}").status == 404


def test_dead_letters_are_discarded_and_kept_while_the_broker_is_away(
    store: SqlStore, runtime: Runtime, admin: AdminStore, outbox: Outbox
) -> None:
    """A letter that could not be replayed is kept."""

    class Away(Recorder):
        def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
            raise BrokerUnavailable("the broker cannot be reached")

    dead(runtime, outbox)
    browser = Browser(context(store, Away()))
    browser.log_in()
    page = browser.get("/deadletters?kind=event")
    [letter] = [link.removeprefix("/deadletters/") for link in page.links("/deadletters/")]
    refused = browser.send(page, "/deadletters", do="replay", id=letter)
    assert (refused.status, "the broker cannot be reached" in refused.text) == (503, True)
    assert admin.dead_letters.find(letter) is not None
    assert "1 of 1 discarded" in browser.send(page, "/deadletters", do="discard", id=letter).text
    assert admin.dead_letters.find(letter) is None


def test_many_dead_letters_have_pages(
    runtime: Runtime, browser: Browser, admin: AdminStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each letter is on one page, also if many have the same time."""
    monkeypatch.setattr("alertworker.web.pages.deadletters.PER_PAGE", 4)
    ingest(BatchMessage("b", b"[" + b",".join([BAD] * 11) + b"]", None), runtime, now=NOW)
    page, seen = browser.get("/deadletters"), []
    while True:
        seen += page.links("/deadletters/")
        if not (older := page.links("/deadletters?after=")):
            break
        page = browser.get(older[0])
    assert (len(seen), len(set(seen))) == (11, 11)
