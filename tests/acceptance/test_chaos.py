"""All faults at once: workers killed, broker and database restarted, a receiver with every kind of failure.

Every message is accounted for at the end. Runs are reproducible by seed. ``ALERTWORKER_CHAOS_ROUNDS`` runs more
rounds (``make chaos``), and each prints its figures.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from alertworker.host.paths import socket_path
from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.postgres import Postgres
from tests.acceptance.receiver import OK, Answer, Receiver
from tests.acceptance.sent_alerts import Harm, occurrences, repeated, tellings, unexplained
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import failed

ROUNDS = int(os.environ.get("ALERTWORKER_CHAOS_ROUNDS", "1"))
#: The brokers: the embedded Valkey and, with more rounds, also Redis.
SERVERS = (None, "redis-server") if "ALERTWORKER_CHAOS_ROUNDS" in os.environ else (None,)
#: How long the faults of a round last, in seconds, and how many failures happen in that time.
SECONDS, FAILURES = 25.0, 150
#: How many messages were written for each alert.
WRITTEN = """
    SELECT alert_id, count(*) FROM notifications n JOIN alerts a ON a.id = n.alert_id
    WHERE a.type = 'llm_exceptions' AND n.status IN ('sent', 'merged') GROUP BY alert_id
"""
#: The jumps of the proxies' clocks, in seconds.
JUMPS = (-20, 0, 20)


@dataclass
class Chaos:
    """One installation and its faults."""

    stack: Stack
    postgres: Postgres
    slack: Receiver
    chance: random.Random
    done: list[str] = field(default_factory=list)
    #: The faults that may keep an answer from being recorded. Nothing else may.
    harms: list[Harm] = field(default_factory=list)

    def answer(self, _number: int, _path: str) -> Answer:
        """Answer well, with an error, late, or not at all although the message was accepted."""
        trouble: list[Answer] = [(500, {}, 0.0), (503, {}, 0.3), (429, {"Retry-After": "1"}, 0.0), (200, {}, 1.0)]
        lost: Answer = (0, {}, 0.0)
        return self.chance.choice([OK, OK, OK, OK, lost, *trouble])

    def strike(self) -> None:
        """Cause one fault, and repair it."""
        harm = self.chance.choice([self._worker, self._worker, self._beat, self._broker, self._database, self._emptied])
        self.done.append(harm.__name__.strip("_"))
        harm()

    def _worker(self) -> None:
        name = self.chance.choice(["ingest", "deliver", "deliver-2"])
        number = self.chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        with self._harming(counts=name != "ingest" and number == signal.SIGKILL):
            self.stack.kill(name, number)
        time.sleep(self.chance.uniform(0, 1))
        self.stack.start(name.partition("-")[0], name)

    def _beat(self) -> None:
        self.stack.kill("beat")
        self.stack.start("beat")

    def _broker(self) -> None:
        self.stack.kill("broker")
        time.sleep(self.chance.uniform(0.2, 2))
        self.stack.start_broker()

    def _database(self) -> None:
        with self._harming():
            self.postgres.stop()
            time.sleep(self.chance.uniform(0.5, 3))
            self.postgres.start()

    @contextmanager
    def _harming(self, *, counts: bool = True) -> Iterator[None]:
        began = time.monotonic()
        yield
        if counts:
            self.harms.append(Harm(began, time.monotonic()))

    def _emptied(self) -> None:
        """Delete everything from the broker except batches: acknowledged work must not depend on it."""
        with redis.Redis(unix_socket_path=str(socket_path(self.stack.folder))) as client:
            client.delete("alertworker.deliveries", "alertworker.periodic")


@pytest.fixture
def chaos(request: pytest.FixtureRequest, slack: Receiver, tmp_path: Path) -> Iterator[Chaos]:
    """Run an installation with two processes of each role."""
    server, seed = request.param
    postgres = Postgres()
    config = CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET)
    stack = Stack(tmp_path / "s", config, {"ALERTWORKER_DATABASE_URL": postgres.url}, server=server)
    try:
        stack.up()
        for name in ("deliver-2", "beat-2"):
            stack.start(name.partition("-")[0], name)
        yield Chaos(stack, postgres, slack, random.Random(seed))
    finally:
        stack.down()
        postgres.remove()


@contextmanager
def publishing(chaos: Chaos, folder: Path) -> Iterator[Publisher]:
    publisher = Publisher(BrokerTransport(chaos.stack.broker_url), folder)
    yield publisher
    publisher.close()


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition is true. Return false if it never was."""
    ends = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends:
        time.sleep(0.25)
    return holds()


def ask(chaos: Chaos, query: str) -> list[Any]:
    """Query the database."""
    with psycopg.connect(chaos.postgres.url) as database:
        return database.execute(query.encode()).fetchall()


def _name_of(round_: tuple[str | None, int]) -> str:
    server, seed = round_
    return f"{server or 'valkey'}-seed-{seed}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chaos", list(product(SERVERS, range(1, ROUNDS + 1))), indirect=True, ids=_name_of)
def test_every_alert_arrives_once_through_all_failures(chaos: Chaos, tmp_path: Path) -> None:
    """None is lost, even if the clocks of proxies are wrong, and none is sent twice.

    A message is repeated, with its id and text, only if its answer was lost or could not be recorded.
    """
    chaos.slack.answer = chaos.answer
    ends = time.monotonic() + SECONDS
    jump = 0
    with publishing(chaos, tmp_path / "spool") as publisher:
        for number in range(FAILURES):
            at = datetime.now(UTC) + timedelta(seconds=jump)
            times = {"occurred_at": at, "started_at": at, "ended_at": at}
            model = f"m{number % 60 if number % 3 else number % 4}"  # some are sent once, and some summed up
            publisher.publish(failed(number, model_group=model, **times))
            if number % 12 == 6:
                chaos.strike()
                jump = chaos.chance.choice(JUMPS)
            time.sleep(max(0.0, (ends - time.monotonic()) / (FAILURES - number)))
        chaos.slack.answer = lambda _number, _path: OK
        open_work = "SELECT count(*) FROM notifications WHERE status = 'pending'"
        counted = "SELECT coalesce(sum(count), 0), coalesce(sum(told), 0) FROM alerts WHERE type = 'llm_exceptions'"
        settled = wait_for(lambda: ask(chaos, counted) == [(FAILURES, FAILURES)], 90)
        settled = wait_for(lambda: ask(chaos, open_work) == [(0,)], 60) and settled

    taken = chaos.slack.taken()
    lost = Counter(post.status for post in taken)[0]
    alerts = dict(ask(chaos, "SELECT id, count FROM alerts WHERE type = 'llm_exceptions'"))
    steps = ask(chaos, "SELECT status, count(*) FROM notifications GROUP BY status ORDER BY status")
    print(
        f"\nharms: {dict(Counter(chaos.done))}; {FAILURES} failures in {len(alerts)} alerts; {len(chaos.slack.posts)} "
        f"posts, {len(taken)} taken, {lost} of their answers lost, {len(repeated(taken))} others repeated; "
        f"notifications: {dict(steps)}"
    )
    assert settled, ask(chaos, counted)
    assert {alert: count for alert, count in occurrences(taken).items() if alert in alerts} == alerts
    assert unexplained(taken, chaos.harms) == []
    assert len({(post.notification_id, post.text) for post in taken}) == len({post.notification_id for post in taken})
    assert ask(chaos, "SELECT count(*) FROM dead_letters") == [(0,)]
    assert Counter(alert for alert, _ in tellings(taken) if alert in alerts) == dict(ask(chaos, WRITTEN))
    assert ask(chaos, "SELECT sum(spend_nanos) FROM spend WHERE dimension = 'team'") == [(FAILURES * 135,)]
    in_order(chaos)


def in_order(chaos: Chaos) -> None:
    """Assert that each alert's own messages were accepted in their order."""
    order = {row[0]: (row[1], row[2]) for row in ask(chaos, "SELECT id, alert_id, created_at FROM notifications")}
    last: dict[str, Any] = {}
    for post in chaos.slack.taken():
        alert, created = order[post.notification_id]
        assert created >= last.get(alert, created), post.text
        last[alert] = created
