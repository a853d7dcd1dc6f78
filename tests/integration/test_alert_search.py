"""The search for alerts, on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.cli import cli
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.pipeline import Runtime
from alertworker.pipeline.notify import claim
from alertworker.ports.alert_search import AlertFilter, AlertPage, StateFilter
from alertworker.routing.matchers import parse
from alertworker.store import AdminStore, SqlStore, alert_search
from tests.integration.harness import NOW, Outbox, run_until_quiet
from tests.integration.pages import signed_in


def test_alerts_are_found_page_by_page_counted_and_ranked(
    store: SqlStore, runtime: Runtime, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several transactions read, and several alerts have the same time: each alert is on exactly one page."""
    monkeypatch.setattr(alert_search, "_CHUNK", 8)
    admin = AdminStore(store.engine)
    quiet = replace(runtime, router=replace(runtime.router, types=frozenset()))
    plain = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {}, "x", NOW, NOW)
    wanted = [replace(plain, identity={"team": str(number)}) for number in range(22)]
    low = replace(plain, identity={"team": "low"}, severity=Severity.LOW, last_at=NOW + timedelta(hours=1))
    other_alert = replace(plain, type=AlertType.CHANNEL_BROKEN, identity={"channel": "other"})

    store.run(lambda tx: [claim(tx, one, quiet, now=NOW) for one in [*wanted, low]])
    outbox.failures = [DeliveryError("no", Reason.SERVER_ERROR)]
    last = store.run(lambda tx: claim(tx, other_alert, runtime, now=NOW + timedelta(seconds=1)))
    for minutes in (5, 10):
        run_until_quiet(runtime, NOW + timedelta(minutes=minutes))

    for filters in (
        AlertFilter(state=StateFilter.OPEN),
        AlertFilter(state=StateFilter.OPEN, matchers=(parse('alert_type=~".+"'),)),
    ):
        seen, after = [], None
        while True:
            page = admin.alerts.search(filters, after=after, limit=5)
            seen += [row.id for row in page.alerts]
            after = page.after
            if after is None:
                break
        assert (len(seen), len(set(seen)), seen[0]) == (24, 24, last.id)
    monkeypatch.setattr(alert_search, "_MOST_CHUNKS", 1)  # only a search by matchers is bounded
    assert len(admin.alerts.search(AlertFilter(), limit=100).alerts) == 24
    [same] = admin.alerts.search(AlertFilter(fingerprint=low.fingerprint)).alerts
    assert (same.labels, same.type) == ({"team": "low"}, "llm_exceptions")
    assert admin.alerts.search(AlertFilter(suppressed=True, type="channel_broken")).alerts == []

    monkeypatch.setattr(alert_search, "_MOST_CHUNKS", 25)
    matchers = (parse('team=~"2.*"'), parse('alert_type="llm_exceptions"'))
    found = admin.alerts.search(AlertFilter(severity="High", matchers=matchers), limit=100)
    assert (len(found.alerts), found.after) == (3, None)
    assert admin.alerts.search(AlertFilter(since=NOW + timedelta(minutes=1))).alerts[0].labels["team"] == "low"
    assert admin.alerts.search(AlertFilter(), after="nonesuch") == AlertPage([], None)

    assert admin.alerts.count_open() == {"High": 23, "Low": 1}
    assert [row.severity for row in admin.alerts.firing(limit=24)] == ["High"] * 23 + ["Low"]
    assert [[one.outcome for one in tries] for tries in admin.alerts.attempts_of(last.id).values()] == [
        ["server_error", "sent"]
    ]


def test_the_beginning_of_an_id_names_an_alert_if_it_is_unique(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People copy the first digits from a table or a chat."""
    admin = AdminStore(store.engine)
    monkeypatch.setattr("alertworker.app.build_admin_store", lambda: admin)
    plain = Alert(AlertType.CHANNEL_BROKEN, Severity.HIGH, {}, "x", NOW, NOW)
    for number in range(12):
        one = replace(plain, identity={"channel": str(number)}, headline=f"Trouble {number}")
        store.run(lambda tx, one=one: claim(tx, one, runtime, now=NOW))  # type: ignore[misc]
    ids = [row.id for row in admin.alerts.search(AlertFilter()).alerts]

    def output_of(*arguments: str) -> tuple[str, str]:
        done = CliRunner().invoke(cli, ["alerts", *arguments])
        return done.output, str(done.exception)

    unique = next(ids[0][:size] for size in range(1, 37) if sum(one.startswith(ids[0][:size]) for one in ids) == 1)
    assert json.loads(output_of("show", unique)[0])["id"] == ids[0]
    assert json.loads(output_of("show", ids[1])[0])["id"] == ids[1]
    assert output_of("ack", unique, "--by", "Ada")[0] == "acknowledged by Ada\n"
    first, *others = output_of("show", ids[0][:2])[1].splitlines()
    assert first == f"several alerts have ids that begin with {ids[0][:2]}:"
    assert (len(others), others[-1]) == (11, "  …")
    assert "Trouble" in others[0]
    for none in ("nonesuch", "%", ""):
        assert output_of("show", none)[1] == f"unknown alert {none}; `alertworker alerts` lists the ids"


def test_an_address_that_no_database_takes_leads_to_nothing(store: SqlStore, runtime: Runtime) -> None:
    """PostgreSQL rejects strings with a zero byte."""
    browser = signed_in(store, runtime)
    for path in ("/alerts/%00", "/deadletters/%00"):
        assert browser.get(path).status == 404
    for path in ("/alerts?after=%00", "/deadletters?channel=%00", "/spend?team=%00", "/silences/new?alert=%00"):
        assert browser.get(path).status == 200
