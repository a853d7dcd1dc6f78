"""The one alert that cannot go through the database: that it is away. Beat sends it straight to the channels."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts import CATALOGUE, AlertType
from alertworker.delivery import DeliveryError
from alertworker.errors import StoreUnavailable
from alertworker.events.base import new_id
from alertworker.grouping import spell
from alertworker.messages import Message, Step
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Mark

#: How long to wait before asking channels again, none of which took the message.
_AGAIN: Final = timedelta(seconds=60)


class StoreWatch:
    """Looks after the database from outside it.

    ``mark`` is this host's, so that each outage is told once by a host; outages shorter than ``patience`` (a restart)
    are nobody's business.
    """

    def __init__(self, runtime: Runtime, mark: Mark, *, patience: timedelta) -> None:
        self._runtime = runtime
        self._mark = mark
        self._patience = patience
        self._away_since: datetime | None = None
        self._not_before: datetime | None = None

    def look(self, *, now: datetime) -> None:
        """Ask the database for something small, and tell people when it has been away for long, or is back."""
        try:
            self._runtime.store.run(lambda tx: tx.line("canary_sent"))
        except StoreUnavailable as error:
            self._away_since = self._away_since or now
            self._away(str(error), self._away_since, now=now)
            return
        self._away_since = None
        since = self._mark.take()
        if since is not None:
            self._send(Step.RESOLVED, f"The database is back after {spell(now - since)}", "", since=since, now=now)

    def _away(self, reason: str, since: datetime, *, now: datetime) -> None:
        if now - since < self._patience or (self._not_before is not None and now < self._not_before):
            return
        if not self._mark.put(since):
            return
        headline = f"The database has been away for {spell(now - since)}: nothing is judged or sent until it is back"
        if not self._send(Step.FIRING, headline, reason, since=since, now=now):
            self._mark.take()
            self._not_before = now + _AGAIN

    def _send(self, step: Step, headline: str, reason: str, *, since: datetime, now: datetime) -> bool:
        """Send to every channel that the route names; true when at least one took it. Silences cannot be asked."""
        kind = AlertType.STORE_AWAY
        identity = str(new_id())
        message = Message(
            alert_id=identity,
            type=kind,
            severity=CATALOGUE[kind].severity,
            step=step,
            headline=headline,
            at=now,
            since=since,
            facts={"Reason": reason} if reason else {},
            proxy_url=self._runtime.proxy_url,
        )
        names = self._runtime.router.decide(kind, {"alert_type": kind.value}, now=now).channels
        taken = [name for name in names if self._sent(name, message, identity)]
        return bool(taken)

    def _sent(self, name: str, message: Message, identity: str) -> bool:
        channel = self._runtime.channels.get(name)
        if channel is None or self._runtime.shadow:
            return False
        try:
            channel.send(channel.render(message), notification_id=identity)
        except DeliveryError:
            return False
        return True
