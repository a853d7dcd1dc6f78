"""The one alert that cannot use the database: its own outage. Beat sends it directly to the channels."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from alertworker.alerts.advice import advise_in, annotate
from alertworker.alerts.catalogue import CATALOGUE, AlertType
from alertworker.alerts.message import Message, Step
from alertworker.delivery.retry import DeliveryError
from alertworker.errors import StoreUnavailable
from alertworker.events.base import new_id
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Marker, OutageMarker
from alertworker.routing.router import Decision
from alertworker.text.format import spell

_log = logging.getLogger(__name__)
#: How long to wait before the next attempt on channels that did not accept the message.
_AGAIN: Final = timedelta(seconds=60)


class StoreWatchdog:
    """Checks from outside whether the database can be written.

    ``outage_marker`` belongs to this host, so that a host notifies of each outage once. Outages shorter than
    ``patience``, such as a restart, are not reported. An outage and its end are one alert, whose id is in the marker.
    """

    def __init__(self, runtime: Runtime, outage_marker: OutageMarker, *, patience: timedelta) -> None:
        self._runtime = runtime
        self._outage_marker = outage_marker
        self._patience = patience
        #: The current outage with the id of its alert, or the time at which the database was reachable again.
        self._away: Marker | None = None
        self._back_at: datetime | None = None
        #: When to try again if no channel accepted the message.
        self._not_before: datetime | None = None
        #: Channels that did not accept a message that others accepted, and when to try them again.
        self._late: list[tuple[str, Message]] = []
        self._late_at: datetime | None = None

    def check(self, *, now: datetime) -> None:
        """Check the database, and notify channels when it has been away for ``patience`` or is back.

        A message that a channel did not accept is tried again every minute, until the deadline for retries.
        """
        try:
            self._runtime.store.check_writes()
        except StoreUnavailable as error:
            if self._away is None:
                self._away, self._back_at, self._not_before = Marker(now, str(new_id())), None, None
            self._notify_away(self._away, str(error), now=now)
        else:
            if self._back_at is None:
                self._away, self._back_at, self._not_before = None, now, None
            self._notify_back(self._back_at, now=now)
        self._notify_late(now=now)

    def _notify_away(self, marker: Marker, reason: str, *, now: datetime) -> None:
        if now - marker.since < self._patience or _waits(self._not_before, now) or not self._outage_marker.put(marker):
            return
        headline = (
            f"The database has been unavailable for {spell(now - marker.since)}: no alert is sent until it is back"
        )
        if not self._notify(self._message(marker, Step.FIRING, headline, at=now, facts={"Reason": reason}), now=now):
            self._outage_marker.take()
            self._not_before = now + _AGAIN

    def _notify_back(self, back_at: datetime, *, now: datetime) -> None:
        if _waits(self._not_before, now):
            return
        marker = self._outage_marker.take()
        if marker is None:
            return
        headline = f"The database is back after {spell(back_at - marker.since)}"
        accepted = self._notify(self._message(marker, Step.RESOLVED, headline, at=back_at), now=now)
        if not accepted and now - back_at < self._deadline:
            self._outage_marker.put(marker)
            self._not_before = now + _AGAIN

    def _notify_late(self, *, now: datetime) -> None:
        if not self._late or _waits(self._late_at, now):
            return
        in_time = [(name, message) for name, message in self._late if now - message.at < self._deadline]
        self._late = [(name, message) for name, message in in_time if not self._sent(name, message)]
        self._late_at = now + _AGAIN

    def _notify(self, message: Message, *, now: datetime) -> bool:
        """Send to every channel of the route. Return whether at least one accepted the message.

        Silences are in the database and do not apply. The other channels are late. Earlier messages of the same alert
        are no longer sent to them.
        """
        routed = self._decide(message, now=now).channels
        channels = self._runtime.channels
        names = [name for name in routed if name in channels and channels[name].takes(message)]
        failed = [name for name in names if not self._sent(name, message)]
        if len(failed) == len(names):
            return False
        self._late = [late for late in self._late if late[1].alert_id != message.alert_id]
        self._late += [(name, message) for name in failed]
        self._late_at = now + _AGAIN
        return True

    def _sent(self, name: str, message: Message) -> bool:
        """Make one attempt. All attempts on one channel and step have the same notification id."""
        if self._runtime.shadow:
            return False
        identity = str(uuid5(UUID(message.alert_id), f"{message.step.value} {name}"))
        channel = self._runtime.channels[name]
        try:
            channel.send(channel.render(self._annotated(message, name)), notification_id=identity)
        except DeliveryError as error:
            label = self._runtime.labels.of(name)
            ids = {"alert_id": message.alert_id, "channel": label, "notification_id": identity}
            _log.warning("%s did not accept %r: %s", label, message.headline, error, extra=ids)
            return False
        return True

    def _decide(self, message: Message, *, now: datetime) -> Decision:
        labels = {"alert_type": message.type.value, "severity": message.severity.value}
        return self._runtime.router.decide(message.type, labels, now=now)

    def _annotated(self, message: Message, channel: str) -> Message:
        return annotate(message, self._decide(message, now=message.at).annotations_for(channel))

    def _message(
        self, marker: Marker, step: Step, headline: str, *, at: datetime, facts: dict[str, str] | None = None
    ) -> Message:
        alert_type = AlertType.STORE_AWAY
        return Message(
            alert_id=marker.alert_id,
            type=alert_type,
            severity=CATALOGUE[alert_type].severity,
            step=step,
            headline=headline,
            at=at,
            since=marker.since,
            facts=facts or {},
            what_to_do=advise_in(step, alert_type, CATALOGUE[alert_type].severity, {}),
            proxy_url=self._runtime.proxy_url,
            zone=self._runtime.zone.key,
        )

    @property
    def _deadline(self) -> timedelta:
        return timedelta(seconds=self._runtime.retry.deadline)


def _waits(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until
