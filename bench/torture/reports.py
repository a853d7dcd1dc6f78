"""Scenarios of the clock: reports, and a call that hangs for an hour."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Final

from alertworker.events import Failure, Origin, RequestFailed, RequestSucceeded
from alertworker.publisher import BrokerTransport, Publisher
from alertworker.publisher.inflight import InFlight
from alertworker.reports.report import spell_days
from bench.torture import own_class
from bench.torture.calls import hanging
from bench.torture.ledger import Ledger, Row, Side, occurrences, plural
from bench.torture.pair import SETTLE_SECONDS, Pair, Setup, publish, wait
from tests.acceptance.receiver import Post
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import wait_for_rows

#: Both are configured to report every 30 s. Ours checks twice a minute, LiteLLM every 5 s.
DAILY: Final = Setup(
    ("daily_reports",), ("fast",), {"alerting_args": {"daily_report_frequency": 30, "report_check_interval": 5}}
)
WEEK: Final = Setup(("spend_reports",), ("fast",))
FALLBACKS: Final = Setup(("fallback_reports",))
CLOCK: Final = Setup(("spend_reports", "llm_requests_hanging"), ("fast",), {"alerting_threshold": 600})
#: Sends due reports as beat and the worker do, with the clock at another time.
_SEND_DUE: Final = """
import sys
from datetime import datetime
from alertworker.app import get_reporter
from alertworker.pipeline import deliver
now, reporter = datetime.fromisoformat(sys.argv[1]), get_reporter()
reporter.send_due(now=now)
for channel in reporter.runtime.channels:
    while deliver(channel, reporter.runtime, now=now):
        pass
"""


def daily_report(pair: Pair) -> Row:
    """Send 12 calls with a report due after 30 s, and watch both sides for 90 s."""
    pair.control()
    ends = time.monotonic() + 90
    assert set(pair.ask(["fast"] * 12, at_once=2)) == {200}
    time.sleep(max(0.0, ends - time.monotonic()))
    sides = []
    for one in pair.receivers:
        posts = one.taken("`daily_reports`")
        sides.append(Side(Ledger(1, min(1, len(posts)), messages=len(posts)), plural(len(posts), "report")))
    return Row(*sides)


def hour_long_hang(pair: Pair) -> Row:
    """Make a call hang for an hour on a clock that is moved forward. The threshold is the 600 s of LiteLLM's proxy."""
    pair.control()
    own_class.run("hangs_for_an_hour", f"{pair.theirs.url}/slack", "600")
    publisher = Publisher(BrokerTransport(pair.stack.broker_url), pair.stack.folder / "spool", threshold_seconds=600)
    seconds = 0.0
    calls = InFlight(600, clock=lambda: seconds)
    calls.start("hung", lambda: {"model": "gpt-4o"})
    while seconds < 3_600:
        seconds += 300
        for announced in calls.announcements():
            publisher.publish(announced | {"boot_id": publisher.boot_id})
    wait(lambda: bool(hanging(pair.ours, "gpt-4o")), 20)
    time.sleep(SETTLE_SECONDS)
    row = Row(*(occurrences(1, hanging(one, "gpt-4o")) for one in pair.receivers))
    publisher.close()
    return row


def monthly_report(pair: Pair) -> Row:
    """Send the monthly report at its scheduled time, the 1st. Last month had one call, and this month none.

    The clock of our lane was moved forward, so no later message may follow.
    """
    pair.control()
    assert pair.ask(["fast"], at_once=1) == [200]
    wait_for_rows(pair.stack, "SELECT count(*) > 0 FROM spend WHERE entity = 'fast'", [(1,)], 20)
    today = datetime.now(UTC).date()
    first = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
    [[start, end]] = own_class.run("monthly", f"{pair.theirs.url}/slack", first.isoformat())
    _send_due(pair.stack, first)
    wait(lambda: bool(pair.ours.taken("Monthly")), 10)
    theirs, ours = (one.taken("Monthly") for one in pair.receivers)
    month = spell_days(today.replace(day=1), first - timedelta(days=1))
    right = [post for post in ours if month in post.text]
    mine = Ledger(1, min(1, len(right)), false=len(ours) - len(right), messages=len(ours))
    its = Ledger(1, int(bool(theirs) and date.fromisoformat(start) < first), messages=len(theirs))
    return Row(
        Side(its, f"asked the database for {start} to {end}; {plural(len(theirs), 'report')}"),
        Side(mine, f"{plural(len(ours), 'report')} of {month}"),
    )


def weekly_report(pair: Pair) -> Row:
    """Send the report of 7 days next Monday, with both sides started twice. This week had one call.

    The clock of our lane was moved forward, so no later message may follow.
    """
    pair.control()
    assert pair.ask(["fast"], at_once=1) == [200]
    wait_for_rows(pair.stack, "SELECT count(*) > 0 FROM spend WHERE entity = 'fast'", [(1,)], 20)
    monday = _next_monday()
    for _ in range(2):
        [[start, end]] = own_class.run("weekly", f"{pair.theirs.url}/slack", monday.isoformat())
        _send_due(pair.stack, monday)
    wait(lambda: bool(_weeks(pair.ours.taken("`spend_reports`"))), 10)
    asked = (date.fromisoformat(end) - date.fromisoformat(start)).days + 1
    theirs, ours = (_weeks(one.taken("`spend_reports`")) for one in pair.receivers)
    week = spell_days(monday - timedelta(days=7), monday - timedelta(days=1))
    right = [post for post in ours if week in post.text]
    its = Ledger(1, int(asked == 7), duplicated=max(0, len(theirs) - 1), messages=len(theirs))
    mine = Ledger(1, min(1, len(right)), max(0, len(right) - 1), len(ours) - len(right), len(ours))
    return Row(
        Side(its, f"asked the database for {asked} days, {start} to {end}; {plural(len(theirs), 'report')}"),
        Side(mine, f"{plural(len(ours), 'report')} of {week}"),
    )


def fallback_report(pair: Pair) -> Row:
    """Make a fallback save eight calls, and two calls fail despite it."""
    pair.control()
    now = datetime.now(UTC)
    call = {"started_at": now, "ended_at": now, "occurred_at": now, "original_model_group": "gpt-4o"}
    call |= {"model_group": "claude", "fallbacks": 1}
    failure = Failure(error_class="InternalServerError", status_code=500, origin=Origin.PROVIDER, message="no")
    saved = [RequestSucceeded(call_id=f"saved-{n}", cost_nanos=0, **call) for n in range(8)]
    lost = [RequestFailed(call_id=f"lost-{n}", failure=failure, **call) for n in range(2)]
    publish(pair.stack, *saved, *lost)
    wait_for_rows(pair.stack, "SELECT sum(succeeded), sum(failed) FROM fallbacks", [(8, 2)], 20)
    own_class.run("fallbacks", f"{pair.theirs.url}/slack", "8", "2")
    _send_due(pair.stack, _next_monday())
    pair.settle(lambda one: bool(one.taken("`fallback_reports`")))
    theirs, ours = (one.taken("`fallback_reports`") for one in pair.receivers)
    said = re.findall(r"`(\d+ successful) fallback requests`", "".join(post.text for post in theirs))
    right = [post for post in ours if "8 calls saved, 2 still failed" in post.text]
    its = Ledger(1, int(said == ["8 successful"]), false=int(said != ["8 successful"]), messages=len(theirs))
    mine = Ledger(1, min(1, len(right)), false=len(ours) - len(right), messages=len(ours))
    return Row(
        Side(its, f"{plural(len(theirs), 'report')} of {' and '.join(said)}"),
        Side(mine, f"{plural(len(ours), 'report')} of 8 saved and 2 failed" if right else "none of it"),
    )


def _send_due(stack: Stack, day: date) -> None:
    """Send our reports that are due at 09:00 on the day."""
    nine = datetime(day.year, day.month, day.day, 9, tzinfo=UTC).isoformat()
    subprocess.run([sys.executable, "-c", _SEND_DUE, nine], env=stack.env, cwd=stack.folder, check=True)


def _next_monday() -> date:
    today = datetime.now(UTC).date()
    return today + timedelta(days=7 - today.weekday())


def _weeks(posts: list[Post]) -> list[Post]:
    return [post for post in posts if "Monthly" not in post.text]
