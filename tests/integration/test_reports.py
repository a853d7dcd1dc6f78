"""Reports from the ledger to the receiver: one for each period, from real rows, on both databases."""

from __future__ import annotations

import csv
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from alertworker import app
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.tables import MAX_ROWS
from alertworker.budgets.configured import OwnBudget
from alertworker.channels.plain_text import count_of
from alertworker.cli import cli
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import AttemptFailed, Budget, BudgetScope, Failure, Origin, PublisherHeartbeat, RequestSucceeded
from alertworker.events.system import PublisherCounters
from alertworker.ledger.reader import Days
from alertworker.pipeline import Reporter, Runtime, ingest
from alertworker.reports import REPORTS, Calendar, Period, ReportKind, containing
from alertworker.store import SqlLedgerReader, SqlStore
from tests.integration.harness import NOW, Outbox, answered, batch, failed, run_until_quiet

DOLLAR = 1_000_000_000
NAME = "[red]Search"
#: The Monday after the week of `NOW`, at a quarter past nine.
MONDAY = datetime(2026, 11, 30, 9, 15, tzinfo=NOW.tzinfo)


@pytest.fixture
def reporter(runtime: Runtime, store: SqlStore) -> Reporter:
    """Return a reporter with a period of seven days, due on Mondays at nine."""
    return Reporter(runtime, SqlLedgerReader(store.engine), Calendar(ZoneInfo("UTC")))


def spent(call_id: str, dollars: int, *, at: datetime = NOW, **more: Any) -> RequestSucceeded:
    """Return a call with this cost."""
    event = answered(call_id, cost_nanos=dollars * DOLLAR, **more)
    return event.model_copy(update={"started_at": at, "ended_at": at, "occurred_at": at})


def test_a_report_that_was_due_before_the_first_batch_is_not_sent(reporter: Reporter, outbox: Outbox) -> None:
    """A new installation sends its first reports when they are due."""
    noon = MONDAY.replace(hour=12)
    began = noon + timedelta(minutes=56)
    ingest(batch(spent("a", 1, at=began)), reporter.runtime, now=began)
    reporter.send_due(now=began + timedelta(minutes=1))
    run_until_quiet(reporter.runtime, began + timedelta(minutes=1))
    assert outbox.sent == []

    assert reporter.send_due(now=noon + timedelta(hours=12, minutes=1)) == 1


def test_a_report_of_the_day_so_far_says_until_when_it_counts(reporter: Reporter, outbox: Outbox) -> None:
    """Its figures are those of the time it is built, which a worker that was down reaches long after it was due."""
    noon, later = MONDAY.replace(hour=12, minute=0), MONDAY.replace(hour=14, minute=7)
    ingest(batch(spent("a", 1, at=MONDAY), spent("b", 2, at=noon + timedelta(hours=1))), reporter.runtime, now=MONDAY)
    reporter.send_due(now=later)
    run_until_quiet(reporter.runtime, later)

    (message,) = [message for message in outbox.sent if message.type is AlertType.DAILY_REPORTS]
    assert message.headline == "Daily report 30 Nov 2026 so far (UTC): $3"
    assert count_of(message) == "Up to 2026-11-30 14:07:00 UTC"
    assert message.facts["Sent late"] == "it was due at 2026-11-30 12:00:00 UTC"


def test_a_week_is_reported_once_by_any_worker(reporter: Reporter, outbox: Outbox) -> None:
    """Four workers at once, and one later, send one message with totals, change, teams, tags and no team."""
    week = timedelta(days=7)
    events = [
        spent("a", 4_000, team_alias="Search", tags=("x", "y")),
        spent("b", 10, team_id=None),
        spent("c", 2_000, at=NOW - week, team_alias="Search"),
    ]
    ingest(batch(*events), reporter.runtime, now=NOW)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: reporter.send_due(now=MONDAY), range(4))) == 4
    assert reporter.send_due(now=MONDAY + timedelta(minutes=5)) == 0
    assert any(name.startswith("spend-2026-11-23") for name in waiting_files(reporter))
    run_until_quiet(reporter.runtime, MONDAY)

    weekly = [message for message in outbox.sent if message.headline.startswith("Spend")]
    assert [message.headline for message in weekly] == ["Spend 23 to 29 Nov 2026 (UTC): $4,010 (+100 %)"]
    facts = weekly[0].facts
    assert facts["By team"] == "Search $4,000 +100 %"
    assert facts["By tag"] == "x $4,000 new · y $4,000 new"
    assert facts["No team"] == "$10"
    assert facts["Requests"] == "2, 0 failed"
    assert "Sent late" not in facts
    team, tag = weekly[0].tables
    assert team.rows == (("Search", 4_000 * DOLLAR, 100.0, 1),)
    assert team.apart == (("no team", 10 * DOLLAR, "new", 1),)
    assert team.total == ("All", 4_010 * DOLLAR, 100.5, 2)
    assert [row[0] for row in (*tag.rows, *tag.apart)] == ["x", "y", "no tag"]
    assert facts["No tag"] == "$10"
    assert weekly[0].chart is not None
    assert [sum(series.values) for series in weekly[0].chart.series] == [4_000 * DOLLAR, 10 * DOLLAR]


def waiting_files(reporter: Reporter) -> list[str]:
    """Return the names of the next message's files. They are read beside it, and are not part of its row."""
    (due,) = reporter.runtime.store.queue.next_due("outbox", limit=1, now=MONDAY)
    assert "attachments" not in due.message.model_dump_json()
    return [file.name for file in due.message.attachments]


def test_a_missed_report_is_sent_late_and_a_failed_delivery_is_retried(reporter: Reporter, outbox: Outbox) -> None:
    """Beat was down at the boundary, so the report has its due time. The receiver fails once, and gets it once."""
    ingest(batch(spent("a", 1)), reporter.runtime, now=NOW)
    outbox.failures = [DeliveryError("503", Reason.SERVER_ERROR)]
    later = MONDAY + timedelta(hours=30)

    reporter.send_due(now=later)
    run_until_quiet(reporter.runtime, later)
    run_until_quiet(reporter.runtime, later + timedelta(minutes=5))

    (message,) = [message for message in outbox.sent if message.headline.startswith("Spend")]
    assert message.facts["Sent late"] == "it was due at 2026-11-30 09:00:00 UTC"
    assert len(set(outbox.ids)) == len(outbox.ids)


def test_dropped_events_are_those_of_the_period(reporter: Reporter) -> None:
    """Counters only grow, over days, restarts and late heartbeats. Earlier losses are not reported again."""
    old, early, late = (NOW - timedelta(days=days) for days in (9, 3, 1))
    beats = [
        beat("a", old, buffer_full=5),
        beat("a", late, buffer_full=12, spool_full=1),
        beat("a", early, buffer_full=7),  # arrives late
        beat("b", early, buffer_full=2),
        beat("b", NOW + timedelta(days=4), buffer_full=50),
        beat("c", old, buffer_full=1_000),
    ]
    for event in beats:
        for again in (batch(event, spent(event.boot_id, 1, at=event.occurred_at)), batch(event)):
            ingest(again, reporter.runtime, now=max(NOW, event.occurred_at))
    days = Days((NOW - timedelta(days=4)).date(), NOW.date())

    assert reporter.ledger.dropped(days) == {"buffer_full": (12 - 5) + 2, "spool_full": 1}
    period = Period(days, Days(date(2026, 11, 1), date(2026, 11, 2)), until=MONDAY, due=MONDAY)
    report = next(iter(reporter.build(ReportKind.SPEND, period, now=MONDAY)))
    assert report.notes["Dropped"] == (
        "10 events, by publishers (buffer full 9, spool full 1); the sums may be short by them"
    )


def beat(boot_id: str, at: datetime, **dropped: int) -> PublisherHeartbeat:
    """Return a heartbeat of a process that has dropped this many events since it started."""
    counters = PublisherCounters(dropped=dropped)
    return PublisherHeartbeat(
        boot_id=boot_id, host="h", pid=1, version="1", started_at=NOW, occurred_at=at, counters=counters
    )


def test_budgets_near_their_limit_are_named_as_they_stand(reporter: Reporter) -> None:
    """A team's budgets are in its own report. The report of an earlier period has none."""
    budgets = (OwnBudget(dimension="team", entity="*", max=100),)
    own = replace(reporter, runtime=replace(reporter.runtime, budgets=budgets), teams=("search", "billing", "ops"))
    week = timedelta(days=7)
    events = [
        spent("a", 90, team_alias="Search"),
        spent("b", 79, team_id="billing"),
        spent("c", 1, at=NOW - week),
        spent("d", 1, at=NOW - week, team_id="billing"),
        spent("e", 79, team_id="ops"),
    ]
    ingest(batch(*events), own.runtime, now=NOW)

    def near(day: date) -> list[str | None]:
        period = containing(REPORTS[ReportKind.SPEND].ending, own.calendar, day)
        found = own.build(ReportKind.SPEND, period, now=MONDAY)
        return [report.facts.get("Budgets near their limit") for report in found]

    assert near(NOW.date()) == [
        "Team Search 91.0 % · Team billing 80.0 %",
        "Team Search 91.0 %",
        "Team billing 80.0 %",
        None,
    ]
    assert near((NOW - week).date()) == [None, None, None]


def test_a_budget_that_never_resets_is_named_while_it_is_reported(reporter: Reporter) -> None:
    """It is listed if it was reported in the period, or in the last week if that is shorter.

    A budget that resets is listed until then.
    """
    ends = NOW + timedelta(days=60)
    for name, ago, reset_at in (("old", 9, None), ("new", 5, None), ("resets", 9, ends)):
        at = NOW - timedelta(days=ago)
        budget = Budget(
            scope=BudgetScope.USER, entity_id=name, spend_nanos=89 * DOLLAR, max_nanos=100 * DOLLAR, reset_at=reset_at
        )
        ingest(batch(spent(name, 1, at=at).model_copy(update={"budgets": (budget,)})), reporter.runtime, now=at)

    ingest(batch(spent("now", 1)), reporter.runtime, now=NOW)

    def near(days: int) -> str | None:
        first, last = NOW.date() - timedelta(days=days - 1), NOW.date()
        period = Period(Days(first, last), Days(first, last), until=NOW, due=NOW)
        (report,) = reporter.build(ReportKind.SPEND, period, now=NOW)
        return report.facts.get("Budgets near their limit")

    assert [near(days) for days in (1, 7, 30)] == ["User new 90.0 % · User resets 90.0 %"] * 2 + [
        "User new 90.0 % · User old 90.0 % · User resets 90.0 %"
    ]


def test_a_team_that_was_renamed_is_one_team(reporter: Reporter) -> None:
    """It has its newest name, also if the name changed within the period."""
    later = NOW + timedelta(days=2)
    for at, name in ((NOW, "Old"), (later, "New")):
        ingest(batch(spent(name, 3, at=at, team_alias=name)), reporter.runtime, now=at)

    (report,) = reporter.build(*_week(reporter), now=MONDAY)

    assert report.facts["By team"] == "New $6 new"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 10, 25), 25), (date(2026, 3, 29), 23)], ids=["in autumn", "in spring"]
)
def test_a_day_on_which_clocks_change_has_all_its_hours(reporter: Reporter, day: date, hours: int) -> None:
    """In Berlin no hour belongs to another day, and none is lost."""
    zone = ZoneInfo("Europe/Berlin")
    runtime = replace(reporter.runtime, zone=zone)
    local = replace(reporter, runtime=runtime, calendar=Calendar(zone, daily_seconds=86_400))
    start = datetime.combine(day, time(), zone).astimezone(UTC)
    events = [spent(f"c{hour}", 1, at=start + timedelta(hours=hour, minutes=30)) for hour in range(-2, 27)]
    ingest(batch(*events), runtime, now=start + timedelta(days=2))

    period = REPORTS[ReportKind.DAILY].ending(local.calendar, day + timedelta(days=1))
    (report,) = local.build(ReportKind.DAILY, period, now=period.due)

    assert report.total.requests == hours
    assert period.until - start == timedelta(hours=hours)


def test_a_message_links_to_its_page(reporter: Reporter, outbox: Outbox) -> None:
    """The public address of the pages is a setting."""
    linked = replace(reporter, runtime=replace(reporter.runtime, public_url="https://alerts.example/"))
    ingest(batch(spent("a", 1)), linked.runtime, now=NOW)

    linked.send_due(now=MONDAY)
    run_until_quiet(linked.runtime, MONDAY)

    for message in outbox.sent:
        assert message.page_url == f"https://alerts.example/alerts/{message.alert_id}"


def test_an_empty_report_is_not_sent(reporter: Reporter, outbox: Outbox) -> None:
    """An empty week is claimed without a message, so that it is not checked again."""
    assert reporter.send_due(now=MONDAY) == 4
    run_until_quiet(reporter.runtime, MONDAY)

    assert outbox.sent == []
    assert reporter.send_due(now=MONDAY) == 0


def test_the_month_is_the_one_that_ended(reporter: Reporter, outbox: Outbox) -> None:
    """On 1 December it is November's."""
    ingest(batch(spent("a", 5), spent("b", 4, at=NOW - timedelta(days=31))), reporter.runtime, now=NOW)

    reporter.send_due(now=datetime(2026, 12, 1, 9, tzinfo=NOW.tzinfo))
    run_until_quiet(reporter.runtime, MONDAY + timedelta(days=1))

    assert "Monthly spend 1 to 30 Nov 2026 (UTC): $5 (+25 %)" in [message.headline for message in outbox.sent]


def test_a_team_gets_its_own(reporter: Reporter, outbox: Outbox) -> None:
    """It has the team's keys and models, the labels for routes, and nothing of another team."""
    own = replace(reporter, teams=("search", "idle"))
    search = spent("a", 3, key_hash="k1", team_alias="Search EU")
    ingest(batch(search, spent("b", 9, team_id="billing", team_alias="Billing")), own.runtime, now=NOW)

    own.send_due(now=MONDAY)
    run_until_quiet(own.runtime, MONDAY)

    (message,) = [item for item in outbox.sent if item.labels.get("team") == "Search EU"]
    assert message.labels["team_id"] == "search"
    assert message.headline == "Spend of team Search EU, 23 to 29 Nov 2026 (UTC): $3 (new)"
    assert message.facts["By key"] == "app $3 new"
    assert "illing" not in message.model_dump_json()
    assert not [item for item in outbox.sent if "team" in item.labels and item is not message]


def test_a_daily_report_has_means_and_rates(reporter: Reporter, outbox: Outbox) -> None:
    """Slow is by the mean of enough calls. Failures have a rate, and those before a fallback count."""
    quick = [spent(f"q{n}", 1, deployment_id="quick", completion_tokens=100) for n in range(10)]
    slow = [answered(f"s{n}", 20, deployment_id="slow", model="gpt-4o", completion_tokens=100) for n in range(10)]
    rare = [answered("r", 90, deployment_id="rare", completion_tokens=1)]
    ingest(batch(*quick, *slow, *rare, attempt("s0"), attempt("s1")), reporter.runtime, now=NOW)

    reporter.send_due(now=NOW.replace(hour=0) + timedelta(days=1))
    run_until_quiet(reporter.runtime, NOW + timedelta(days=1))

    (message,) = [message for message in outbox.sent if message.type is AlertType.DAILY_REPORTS]
    assert message.headline == "Daily report 23 Nov 2026 (UTC): $10.00 (new)"
    assert message.facts["Slowest, per output token"].startswith("gpt-4o (slow) 0.2 s, p95 0.2")
    assert "rare" not in message.facts["Slowest, per output token"]
    assert message.facts["Most failed attempts"] == "gpt-4o (slow) 2 of 12 (16.7 %)"


def test_a_week_of_fallbacks_counts_the_saved_calls(reporter: Reporter, outbox: Outbox) -> None:
    """The pair is the requested and the used model. Failed calls are not counted as saved."""
    went: dict[str, Any] = {"fallbacks": 1, "original_model_group": "gpt-4o", "model_group": "claude"}
    lost = failed("f").model_copy(update=went)
    ingest(batch(answered("a", **went), answered("b", **went), lost, answered("c")), reporter.runtime, now=NOW)

    reporter.send_due(now=MONDAY)
    run_until_quiet(reporter.runtime, MONDAY)

    (message,) = [message for message in outbox.sent if message.type is AlertType.FALLBACK_REPORTS]
    assert message.headline == "Fallbacks 23 to 29 Nov 2026 (UTC): 2 calls saved, 1 still failed"
    assert message.facts["By model"] == "gpt-4o → claude 2 saved, 1 failed"
    assert message.facts["The week before"] == "0 saved, 0 failed"


def attempt(call_id: str) -> AttemptFailed:
    """Return an attempt that failed on the slow deployment."""
    failure = Failure(error_class="Timeout", status_code=408, origin=Origin.PROVIDER)
    facts = {"call_id": call_id, "deployment_id": "slow", "model_group": "gpt-4o", "failure": failure}
    return AttemptFailed(occurred_at=NOW, started_at=NOW, ended_at=NOW, **facts)


def test_thousands_of_teams_fit_and_add_up(reporter: Reporter) -> None:
    """Eight are named, and the rest is one sum. Long names are cut."""
    names = {f"t{number}": "<!channel> " * 20 + str(number) for number in range(1_500)}
    events = [spent(team_id, 2, team_id=team_id, team_alias=name) for team_id, name in names.items()]
    for start in range(0, len(events), 500):
        ingest(batch(*events[start : start + 500]), reporter.runtime, now=NOW)

    (report,) = reporter.build(*_week(reporter), now=MONDAY)

    assert report.facts["By team"].endswith("· and 1,492 more $2,984")
    assert len(report.facts["By team"]) < 600
    assert len(report.sections[0].rows) == 1_500
    (table,) = (section.table for section in report.sections if section.table)
    assert (len(table.rows), table.more, (table.rest or ())[1]) == (MAX_ROWS, 1_480, 2_960 * DOLLAR)
    (file,) = report.attachments()
    assert file.content.count("\r\n") == 1 + 1 + 1_500 + 1  # names, all, teams, no tag


def _week(reporter: Reporter) -> tuple[Any, Any]:
    return ReportKind.SPEND, REPORTS[ReportKind.SPEND].ending(reporter.calendar, MONDAY.date())


def test_a_period_that_runs_can_be_previewed_and_not_sent(
    reporter: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alertworker.app.get_reporter", lambda: reporter)
    now = datetime.now(NOW.tzinfo)
    ingest(batch(spent("a", 1, at=now, team_alias=NAME), sealed_at=now), reporter.runtime, now=now)
    today = ["report", "monthly", "--period", f"{now:%Y-%m-%d}"]

    shown = CliRunner().invoke(cli, today)
    assert (shown.exit_code, "$1" in shown.output) == (0, True)
    assert "pass an earlier --period" in str(CliRunner().invoke(cli, [*today, "--send"]).exception)


def test_the_command_prints_the_messages_and_sends_once(
    reporter: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    """Dry runs change nothing, JSON is exact, and the second sending run reports that it was already sent."""
    past = NOW.replace(year=2025)
    ingest(batch(spent("a", 1, at=past, team_alias=NAME)), reporter.runtime, now=past)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alertworker.app.get_reporter", lambda: reporter)

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["report", "monthly", "--period", "2025-11-03", *arguments])
        assert result.exit_code == code, result.output
        return result.output + str(result.exception or "")

    headline = run().splitlines()[0]
    assert run("--dry-run").splitlines()[0] == headline  # the rest has the time of the message
    run_until_quiet(reporter.runtime, datetime.now(NOW.tzinfo) + timedelta(minutes=1))
    assert outbox.sent == []
    shown = run()
    assert "Monthly spend 1 to 30 Nov 2025 (UTC): $1 (new)" in shown
    assert "[red]Search $1 new" in shown
    assert "to outbox" in shown
    assert json.loads(run("--json"))["sections"]["By team"][0]["spend"] == "1.000000000"
    total, team, tag = csv.DictReader(io.StringIO(run("--csv")))
    assert (total["table"], total["spend"], team["entity"], team["alias"]) == ("All", "1.000000000", "search", NAME)
    assert (tag["table"], tag["entity"], tag["first"], tag["last"]) == ("By tag", "", "2025-11-01", "2025-11-30")
    assert "excludes" in run("--send", "--json", code=1)
    assert "reported: 2025-11-01 to 2025-11-30" in run("--send")
    assert "was already sent" in run("--send", code=1)
    assert run().splitlines()[0] == headline
    run_until_quiet(reporter.runtime, datetime.now(NOW.tzinfo) + timedelta(minutes=1))
    assert len(outbox.sent) == 1


def test_all_reports_of_a_process_use_its_settings_and_its_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that changes while a worker runs must not change half of it, and each engine has its own connections."""
    config = tmp_path / "alertworker.yaml"
    config.write_text("alertworker: {time_zone: Europe/Berlin}")
    monkeypatch.setenv("ALERTWORKER_CONFIG", str(config))
    monkeypatch.setenv("ALERTWORKER_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setattr(os, "getpid", lambda: -1)  # the caches are those of another process

    first = app.get_reporter()
    config.write_text("alertworker: {time_zone: Asia/Tokyo}")
    second = app.get_reporter()

    assert second.calendar.zone == second.runtime.zone == ZoneInfo("Europe/Berlin")
    assert isinstance(first.ledger, SqlLedgerReader)
    assert isinstance(second.ledger, SqlLedgerReader)
    assert second.ledger.engine is first.ledger.engine
