"""The overview, the list of alerts and an alert's own page, on a real store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from alertworker.alerts.advice import advise
from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Column, Table, Unit
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.errors import BrokerUnavailable, StoreUnavailable
from alertworker.health import Check, CheckState, HealthReport
from alertworker.pipeline import Runtime, deliver, ingest
from alertworker.pipeline.notify import claim
from alertworker.ports.alert_search import AlertFilter
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import NOW, Outbox, batch, failed, rows, run_until_quiet
from tests.integration.pages import Browser, context, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
#: Values that callers can choose, as an attacker would choose them.
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'></textarea></title><svg/onload=alert(1)>",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "\u202egnorw\u202c\x1b[31m",
)
HOUR = timedelta(hours=1)
HASH = "0123456789abcdef" * 4
HOOK = "https://hooks.slack.com/services/T0/B0/secretsecret"


@pytest.fixture
def browser(store: SqlStore, runtime: Runtime) -> Browser:
    """Return a browser with a valid login."""
    return signed_in(store, runtime)


def alert(number: int = 0, **more: object) -> Alert:
    """Return an alert with its own team."""
    at = NOW + timedelta(seconds=number)
    plain = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"team": f"team-{number}"}, f"Trouble {number}", at, at)
    return replace(plain, **more)  # type: ignore[arg-type]


def raise_alerts(store: SqlStore, runtime: Runtime, *alerts: Alert) -> list[str]:
    """Raise alerts, one second apart, and return their ids."""
    return [
        store.run(lambda tx, one=one: claim(tx, one, runtime, now=one.first_at)).id  # type: ignore[misc]
        for one in alerts
    ]


def test_the_first_page_shows_open_alerts_and_the_pipelines_state(
    store: SqlStore, runtime: Runtime, browser: Browser
) -> None:
    """The most severe alert is first. No canary has returned, so action is required."""
    low = alert(1, severity=Severity.LOW)
    high, *_ = raise_alerts(store, runtime, alert(0), low)
    page = browser.get("/")

    assert "Action required" in page.text
    assert "no canary has returned yet" in page.text
    assert page.links("/alerts/")[0] == f"/alerts/{high}"
    assert page.text.index("Trouble 0") < page.text.index("Trouble 1")
    assert "2026-11-23 15:02:11 CET" in page.text
    assert "▲ High" in page.text


def shown_with_health(store: SqlStore, runtime: Runtime, state: CheckState) -> Browser:
    """Return a browser on an installation whose checks all have this state."""
    plain = context(store, runtime.broker)
    report = HealthReport((Check("workers", state, "as given"),))
    browser = Browser(replace(plain, pages=replace(plain.pages, examine=lambda _now: report)))
    browser.log_in()
    return browser


def test_the_first_page_is_not_all_clear_above_open_alerts(store: SqlStore, runtime: Runtime) -> None:
    """A healthy pipeline says nothing about the model that is down. A suppressed alert needs no person now."""
    browser = shown_with_health(store, runtime, CheckState.OK)
    assert "All systems operational" in browser.get("/").text

    AdminStore(store.engine).add_silence(
        Silence("s1", (parse('team=~".*-9"'),), NOW, NOW + HOUR, "Ada", "load"), now=NOW
    )
    raise_alerts(store, runtime, alert(9, type=AlertType.BUDGET_ALERTS), alert(9))
    assert "All systems operational" in browser.get("/").text

    raise_alerts(store, runtime, alert(20, severity=Severity.LOW))
    page = browser.get("/").text
    assert "All systems operational" not in page
    assert "Alerting is operational · 1 alert is open" in page

    raise_alerts(store, runtime, alert(21), alert(22))
    assert "2 High alerts are open" in browser.get("/").text
    assert "Action required" in shown_with_health(store, runtime, CheckState.PROBLEM).get("/").text


def test_a_list_shows_the_start_of_a_generated_id(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """The headline names the deployment. The alert's own page has the whole id, for matchers."""
    name = "0c5b1f0a-88aa-4c11-9a3e-1f2d3c4b5a69"
    (number,) = raise_alerts(store, runtime, alert(identity={"deployment": name}))

    for path in ("/", "/alerts"):
        assert name not in browser.get(path).text
        assert "deployment 0c5b1f0a…" in browser.get(path).text
    assert name in browser.get(f"/alerts/{number}").text


def test_suppressed_alerts_are_not_counted_as_open(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """A notice has no firing message that waits: it is suppressed while all its messages were."""
    AdminStore(store.engine).add_silence(
        Silence("s1", (parse('team="team-1"'),), NOW, NOW + HOUR, "Ada", "load"), now=NOW
    )
    notice, condition, _ = raise_alerts(
        store, runtime, alert(1), alert(1, type=AlertType.BUDGET_ALERTS), alert(2, severity=Severity.MEDIUM)
    )
    page = browser.get("/").text
    for expected in ("0 ▲ High, open", "1 ◆ Medium, open", "2 suppressed"):
        assert expected in " ".join(page.split())
    assert page.index("Trouble 2") < page.index("Trouble 1")
    assert "suppressed by a silence" in " ".join(browser.get(f"/alerts/{notice}").text.split())
    for state in ("suppressed", "muted"):  # the second is its name in older bookmarks
        listed = browser.get(f"/alerts?state={state}").links("/alerts/")
        assert set(listed) == {f"/alerts/{notice}", f"/alerts/{condition}"}
    assert "Trouble 1" not in browser.get("/alerts?state=firing").text


def test_the_body_as_sent_shows_the_digits_of_a_credential(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """The message shows them, too: they are the start of a hash."""
    labels = {"provider": "openai", "credential": "3f0c4a7e51b2", "scope": "credential"}
    facts = {"Credential": "3f0c4a7e51b2 (the start of the key's SHA-256)"}
    (number,) = raise_alerts(store, runtime, alert(type=AlertType.OUTAGE_ALERTS, identity=labels, facts=facts))
    run_until_quiet(runtime, NOW)

    [body] = browser.get(f"/alerts/{number}").all("pre")
    assert '"credential": "3f0c4a7e51b2"' in "".join(body.itertext())
    assert "[removed]" not in "".join(body.itertext())


def test_the_first_page_names_unavailable_services(store: SqlStore, runtime: Runtime) -> None:
    """An unavailable broker is a finding. With an unavailable database the page shows nothing else."""

    def away() -> int:
        raise BrokerUnavailable("the broker cannot be reached")

    browser = Browser(context(store, runtime.broker, ask=away))
    browser.log_in()
    assert "the broker cannot be reached" in browser.get("/").text

    def gone(_now: datetime) -> HealthReport:
        raise StoreUnavailable("the database is unavailable")

    broken = replace(context(store, runtime.broker).pages, examine=gone)
    browser = Browser(replace(context(store, runtime.broker), pages=broken))
    page = browser.log_in()
    assert (page.status, "the database is unavailable" in page.text) == (503, True)


def test_alerts_are_found_by_state_severity_type_labels_and_time(
    store: SqlStore, runtime: Runtime, browser: Browser
) -> None:
    """All filters must match. An invalid matcher is reported."""
    other = alert(3, type=AlertType.CHANNEL_BROKEN, severity=Severity.MEDIUM)
    ids = raise_alerts(store, runtime, alert(0), alert(1), alert(2, severity=Severity.LOW), other)
    AdminStore(store.engine).acknowledge(ids[0], by="Ada", note="", now=NOW)

    def found(query: str) -> list[int]:
        return [ids.index(link.removeprefix("/alerts/")) for link in browser.get(f"/alerts?{query}").links("/alerts/")]

    assert found("") == [3, 2, 1, 0]
    assert found("state=acknowledged") == [0]
    assert found("state=firing&severity=High") == [1]
    assert found("state=closed") == []
    assert found("type=channel_broken") == [3]
    assert found("severity=Low&type=channel_broken") == []
    assert found("labels=team%3D~%22team-[01]%22,+severity!%3D%22Low%22") == [1, 0]
    assert found("state=nonsense&severity=%27") == [3, 2, 1, 0]
    wrong = browser.get("/alerts?labels=%3Cb%3E")
    assert (wrong.status, "invalid matcher" in wrong.text) == (422, True)


def test_a_long_list_has_pages_and_each_alert_is_on_one(
    store: SqlStore, runtime: Runtime, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds if only some alerts match, and if new ones are raised in the meantime."""
    monkeypatch.setattr("alertworker.web.pages.alerts.PER_PAGE", 8)
    quiet = replace(runtime, router=replace(runtime.router, types=frozenset()))
    ids = raise_alerts(store, quiet, *(alert(number) for number in range(30)))
    seen: list[str] = []
    page = browser.get("/alerts")
    while True:
        seen += [link.removeprefix("/alerts/") for link in page.links("/alerts/")]
        older = page.links("/alerts?after=")
        if not older:
            break
        raise_alerts(store, quiet, alert(200 + len(seen)))
        page = browser.get(older[0])
    assert seen == ids[::-1]

    page = browser.get("/alerts?labels=team%3D~%22team-.*7%22")
    assert len(page.links("/alerts/")) == 3
    assert page.links("/alerts?labels=") == []


def test_an_alert_shows_its_life_with_every_attempt_and_message(
    store: SqlStore, runtime: Runtime, browser: Browser, outbox: Outbox
) -> None:
    """Facts, labels, occurrences, the answers, the message and the body, with times in the configured zone."""
    outbox.failures = [DeliveryError("503 try later", Reason.SERVER_ERROR)]
    ingest(batch(failed("call-1"), failed("call-2")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    run_until_quiet(runtime, NOW + timedelta(minutes=5))
    [row] = AdminStore(store.engine).alerts.search(AlertFilter()).alerts
    page = browser.get(f"/alerts/{row.id}")

    for expected in ("APIError", "call-1", "call-2", "server_error", "503 try later", "sent", "outbox", "webhook"):
        assert expected in page.text
    assert "Attempt to notify outbox failed: server_error" in page.text
    assert "2026-11-23 15:02:11 CET" in page.text
    [body] = page.all("pre")
    assert '"alert_id"' in "".join(body.itertext())
    assert browser.get("/alerts/nonesuch").status == 404


def test_an_alert_has_advice_while_action_is_needed(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """The page has our line and the runbook of its route, until the alert has ended. Its message stays."""
    ids = raise_alerts(store, runtime, alert(type=AlertType.OUTAGE_ALERTS, severity=Severity.HIGH))
    line = advise(AlertType.OUTAGE_ALERTS, Severity.HIGH, {})
    page = browser.get(f"/alerts/{ids[0]}")
    assert f"What to do: {line} Runbook" in " ".join(page.text.split())
    assert "https://wiki.example/llm" in [link.get("href") for link in page.all("a")]

    store.run(lambda tx: tx.alerts.close(ids[0], count=1, now=NOW))
    assert (page.text.count(line), browser.get(f"/alerts/{ids[0]}").text.count(line)) == (2, 1)


def test_an_alert_is_acknowledged_with_author_and_note(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """The row is the same as from the command line. Input is shown as text."""
    [one] = raise_alerts(store, runtime, alert())
    path = f"/alerts/{one}/acknowledge"
    page = browser.send(browser.get(f"/alerts/{one}"), path, note=EVIL[0])
    assert "Reminders stop, and you are still notified when it resolves" in page.text
    assert EVIL[0] in page.text

    [row] = rows(store, ALERTS)
    assert (row.acked_by, row.ack_note, row.repeat_at) == ("Ada", EVIL[0], None)
    browser.send(page, path, by="Grace", note="")
    assert [row.acked_by for row in rows(store, ALERTS)] == ["Grace"]
    forged = browser.client.post(path, data={"by": "Eve"})
    assert forged.status_code == 403
    assert [row.acked_by for row in rows(store, ALERTS)] == ["Grace"]


def test_callers_input_is_escaped_text_and_secrets_are_removed(
    store: SqlStore, runtime: Runtime, browser: Browser
) -> None:
    """Team names are arbitrary. Key hashes are cut, and secret URLs are removed."""
    evil = " ".join(EVIL)
    ids = raise_alerts(
        store,
        runtime,
        alert(
            identity={"team": evil, "key": HASH},
            headline=f"{evil} {HASH}",
            facts={evil: f"{evil} {HOOK}"},
            members=(f"{evil} {HOOK}",),
            metadata={"note": f"sk-abcdefghijklmnop {evil}"},
        ),
    )
    run_until_quiet(runtime, NOW)
    for path in ("/", "/alerts", "/alerts?labels=%22%3E%3Cscript%3E", f"/alerts/{ids[0]}"):
        page = browser.get(path)
        assert {script.get("src", "")[:17] for script in page.all("script")} == {"/static/reload.js"}
        assert len(page.all("img")) == 1
        handlers = [name for item in page.tree.iter() for name in item.attrib if name.startswith(("on", "style"))]
        assert handlers == []
        assert not [
            link
            for link in page.all("a")
            if not str(link.get("href")).startswith(("/", "#", "https://wiki.example/llm"))
        ]
        for secret in (HASH, HOOK, "secretsecret", "sk-abcdefghijklmnop", "\u202e", "\x1b"):
            assert secret not in page.html
    assert "<script>alert(1)</script>" in browser.get("/").text
    assert "{{ 7 * 7 }}" in browser.get("/").text
    assert HASH[:8] in browser.get("/").text


def test_a_reports_tables_are_shown_as_tables(store: SqlStore, runtime: Runtime, browser: Browser) -> None:
    """No line repeats the tables. Names are shown as text."""
    columns = (Column(name="Team"), Column(name="Spend", unit=Unit.DOLLARS))
    table = Table(
        title="By team", columns=columns, rows=tuple((evil, 2_500_000_000) for evil in EVIL), more=7, sums=True,
        rest=("", 10**9), instead_of=("By team",),
    )  # fmt: skip
    report = alert(type=AlertType.SPEND_REPORTS, tables=(table,), facts={"By team": "in a line", "Total": "$4.00"})
    (number,) = raise_alerts(store, runtime, report)

    page = browser.get(f"/alerts/{number}")
    (shown,) = [one for one in page.tree.iter("table") if one.get("class") == "figures"]
    text = "".join(shown.itertext())
    assert "<script>alert(1)</script>" in text
    assert "$2.50" in text
    assert "7 more" in text
    assert {one.tag for one in shown.iter()} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    (facts, *_) = [one for one in page.tree.iter("dl") if one.get("class") == "facts"]
    assert "Total" in "".join(facts.itertext())
    assert "in a line" not in "".join(facts.itertext())


def test_every_page_shows_that_a_channel_is_broken(store: SqlStore, runtime: Runtime) -> None:
    """A removed channel stays broken in the store, and no page shows it."""
    for name in ("outbox", "removed"):
        channel = Outbox()
        channel.failures = [DeliveryError("answered 404", Reason.GONE)]
        router = replace(runtime.router, receivers={"all": (name,)})
        gone = replace(runtime, channels={name: channel}, router=router)
        alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": name}, name, NOW, NOW)
        store.run(partial(claim, alert=alert, runtime=gone, now=NOW))
        deliver(name, gone, now=NOW)

    browser = signed_in(store, runtime)
    for path in ("/", "/alerts", "/silences", "/deadletters", "/spend", "/budgets", "/proxies"):
        text = browser.get(path).text
        assert "The channel outbox accepts no messages, so its alerts reach nobody" in text
        assert "The channel removed accepts no messages, so" not in text
