"""Reports of real processes: beats that start and stop send each period's report once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import wait_for_rows

DAILY = "alerting_threshold: 3\n  alerting_args: {{daily_report_frequency: 86400}}"

#: Beat checks every 2 s whether a report is due, and not every 10 s.
OFTEN = "from alertworker.celery_defaults import *\nbeat_schedule['report']['schedule'] = 2.0\n"


def test_two_beats_send_one_report_of_yesterday(tmp_path: Path, slack: Receiver) -> None:
    """Two beats check, one is killed, the other checks again: one daily report, with yesterday's spend."""
    config = CONFIG.replace("alerting_threshold: 3", DAILY).format(url=slack.url, secret=WEBHOOK_SECRET)
    stack = Stack(tmp_path / "s", config)
    try:
        (stack.folder / "celeryconfig.py").write_text(OFTEN)
        stack.up("ingest", "deliver")
        publisher = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool", threshold_seconds=3)
        at = datetime.now(UTC) - timedelta(days=1)
        call = {"type": "llm.request.succeeded", "call_id": "1", "team_id": "search", "cost_nanos": 2_500_000_000}
        publisher.publish(call | {"model": "gpt-4o", "started_at": at, "ended_at": at, "occurred_at": at})
        publisher.close()
        wait_for_rows(stack, "SELECT spend_nanos FROM spend WHERE dimension = 'team'", [(2_500_000_000,)], 60)
        stack.start("beat")
        stack.start("beat", "second")
        (report,) = slack.wait_for("Daily report", seconds=90)
        assert "$2.50" in report.text
        assert "By team: `search $2.50 new`" in report.text
        stack.kill("beat")
        time.sleep(5)  # the second beat checks at least once more
        assert len(slack.taken("Daily report")) == 1
    finally:
        stack.down()
