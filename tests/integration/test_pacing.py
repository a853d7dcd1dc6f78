"""Receivers that announce their limits: a lane waits before they must refuse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.channels import build_channel
from alertworker.channels.discord import DiscordConfig
from alertworker.delivery.channel import Answer
from alertworker.pipeline import Runtime, deliver
from alertworker.pipeline.notify import claim
from alertworker.ports import Transaction
from alertworker.store import SqlStore
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from tests.integration.harness import NOW, Outbox, rows

#: A webhook's bucket, as in the headers. See https://discord.com/developers/docs/topics/rate-limits.
LIMIT, WINDOW = 5, 2.0


class Discord:
    """Enforces a webhook's bucket, which another program uses, too. Its clock is the test's."""

    def __init__(self) -> None:
        self.now = NOW
        self.taken: list[datetime] = []
        self.refused = 0
        self._resets = NOW
        self._left = 0
        discord = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status = discord.use()
                if status == 204:
                    discord.taken.append(discord.now)
                else:
                    discord.refused += 1
                self.send_response_only(status)
                for name, value in discord.headers(status).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep the output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def use(self) -> int:
        """Take one message out of the bucket, whoever sends it."""
        if self.now >= self._resets:
            self._resets, self._left = self.now + timedelta(seconds=WINDOW), LIMIT
        if not self._left:
            return 429
        self._left -= 1
        return 204

    def headers(self, status: int) -> dict[str, str]:
        """Return the headers with the state of the bucket."""
        after = f"{(self._resets - self.now).total_seconds():.3f}"
        said = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(self._left),
            "X-RateLimit-Reset-After": after,
            "X-RateLimit-Bucket": "abcd1234",
        }
        return said | ({"Retry-After": after} if status == 429 else {})


@pytest.fixture
def discord() -> Iterator[Discord]:
    running = Discord()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_a_burst_to_discord_never_meets_its_limit(runtime: Runtime, store: SqlStore, discord: Discord) -> None:
    """The headers show what other programs have left of the bucket. All nine messages arrive, and none is refused."""
    url = SecretStr(f"http://127.0.0.1:{discord.server.server_port}/api/webhooks/1/x")
    channel = build_channel(DiscordConfig(name="outbox", url=url))
    runtime = replace(runtime, channels={"outbox": channel})
    _raise(runtime, 9)
    for tick in range(300):
        discord.now = NOW + timedelta(seconds=tick / 10)
        if tick % 20 == 0:
            assert [discord.use() for _ in range(3)] == [204] * 3  # another program's messages
        while deliver("outbox", runtime, now=discord.now, most=1):  # both clocks must stay equal
            pass
        if len(discord.taken) == 9:
            break

    assert (len(discord.taken), discord.refused) == (9, 0)
    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"sent"}


def test_a_pause_that_an_answer_asks_for_has_an_end(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """No answer pauses a lane for longer than a refusal could."""
    channel = Greedy()
    runtime = replace(runtime, channels={"outbox": channel})
    _raise(runtime, 1)
    assert not deliver("outbox", runtime, now=NOW)

    [lane] = rows(store, LANES)
    longest = runtime.retry.longest_retry_after
    assert timedelta(seconds=longest) <= lane.next_free_at - NOW < timedelta(seconds=longest + 60)


def _raise(runtime: Runtime, count: int) -> None:
    def work(tx: Transaction) -> None:
        for number in range(count):
            alert = Alert(
                AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": str(number)}, f"failure {number}", NOW, NOW
            )
            claim(tx, alert, runtime, now=NOW)

    runtime.store.run(work)


class Greedy(Outbox):
    """Asks for a pause of a year."""

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Accept the message."""
        return replace(super().send(body, notification_id=notification_id), busy_for=366 * 86_400.0)
