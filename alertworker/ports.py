"""What the core needs from outside, as Protocols; `app` names the classes that answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar

from alertworker.alerts import Alert, OpenAlert
from alertworker.budgets import BudgetKey, Reading, Standing
from alertworker.delivery import DeliveryError, RetryAt
from alertworker.detectors.users import UserSpend
from alertworker.events import Event, PublisherEvent, RequestAnnounced
from alertworker.folding import Fold
from alertworker.inhibitions import OpenCondition
from alertworker.lanes import Plan, Waiting
from alertworker.ledger import SpendKey, SpendSums
from alertworker.messages import Message
from alertworker.silences import Silence
from alertworker.windows import Bucket, Outage, Target

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a receiver takes messages: one each ``interval`` seconds, after ``burst`` at once."""

    interval: float = 0.0
    burst: int = 1


class Channel(Protocol):
    """One way to reach one receiver. ``name`` is what rows, logs and pages carry; it never contains the address."""

    @property
    def name(self) -> str:
        """A stable name: the same after a restart with the same configuration."""
        ...

    @property
    def kind(self) -> str:
        """The vendor: "slack", "console"."""
        ...

    @property
    def pace(self) -> Pace:
        """How fast the vendor lets us send."""
        ...

    @property
    def digest_size(self) -> int:
        """How many waiting messages may become one; 0 for receivers that want each by itself."""
        ...

    def takes(self, message: Message, /) -> bool:
        """Tell whether this receiver wants such a message at all, wherever it is routed."""
        ...

    def render(self, message: Message) -> str:
        """Give the body to send: pure, within the vendor's limits, everything escaped."""
        ...

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt and give the receiver's answer in a few words, for a person.

        ``notification_id`` is the same for every attempt of one notification.

        Raises:
            DeliveryError: whatever went wrong, with its closed reason.
        """
        ...


class Line(Protocol):
    """The broker, as the core sees it: it carries and wakes, it never decides."""

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would.

        Raises:
            LineUnavailable: when the broker cannot be reached; nothing was promised.
        """
        ...

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Send a batch's events as they are, under this id.

        Raises:
            LineUnavailable: when the broker cannot be reached.
        """
        ...

    def wake(self, channels: Sequence[str]) -> None:
        """Have the lanes of these channels looked at soon; a lost wake is made up for by the next tick."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, whole: an "event", a "batch" or a "notification" with the reason why nobody will retry it.

    ``batch_id`` is the batch it came in, or the notification's id where it is one, and ``position`` an event's place in
    that batch. ``type`` is the event's or the alert's, ``channel`` the notification's.
    """

    id: str
    kind: str
    reason: str
    batch_id: str | None
    position: int | None
    type: str | None
    channel: str | None
    payload: bytes
    created_at: datetime


class Letters(Protocol):
    """The dead letters, as a replay sees them."""

    def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """Give one dead letter."""
        ...

    def requeue(self, letter: DeadLetter, *, now: datetime) -> bool:
        """Put a dead notification back into its lane, and its letter away; false where the notification is gone."""
        ...

    def release_batch(self, batch_id: str) -> None:
        """Forget that a batch was parked, so that it is applied when it comes; one that was applied stays so."""
        ...

    def discard(self, letter_id: str) -> bool:
        """Throw a dead letter away; false where there is none."""
        ...


class Mark(Protocol):
    """A note that one host keeps outside the database, since when something holds."""

    def put(self, since: datetime) -> bool:
        """Write the note; false where it is written already."""
        ...

    def take(self) -> datetime | None:
        """Take the note away and read it; ``None`` where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A notification whose turn it is. ``body`` is what was sealed at its first attempt, if there was one."""

    id: str
    message: Message
    body: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a notification: its status, the last answer with its reason, and the body that was sealed."""

    status: str
    reason: str | None
    answer: str | None
    body: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane that one worker has; whoever takes it over after the lease's end has another ``token``."""

    channel: str
    token: str


@dataclass(frozen=True, slots=True)
class LaneState:
    """How one lane is: messages that wait and since when; when it may go on; since when it fails or is broken.

    ``paused_until`` is what its receiver asked for; ``busy`` says that a worker has it now.
    """

    channel: str
    waiting: int = 0
    waiting_since: datetime | None = None
    paused_until: datetime | None = None
    failing_since: datetime | None = None
    broken_since: datetime | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class LostPublisher:
    """A publisher that went silent without a goodbye, and how many announced calls it took along."""

    boot_id: str
    host: str
    pid: int
    heard_at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host whose publishers live and have published nothing since ``moved_at``."""

    host: str
    integration: str
    moved_at: datetime


class Transaction(Protocol):
    """One SQL transaction: everything a batch or a sweep changes, or nothing of it."""

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; false when it was applied before."""
        ...

    def add_fold(self, fold: Fold, *, max_entities: int) -> dict[SpendKey, SpendSums]:
        """Add a batch's sums to the ledger and the windows; gives the ledger's rows as they then stand.

        A dimension keeps about ``max_entities`` rows a day; what is beyond them is entered under "(other)".
        """
        ...

    def hear_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Keep what publishers said of themselves."""
        ...

    def dropped_events(self, *, since: datetime) -> int:
        """Give how many events the publishers heard since then have dropped since they started."""
        ...

    def hears(self, integration: str, *, since: datetime) -> bool:
        """Tell whether a publisher of this integration lives and was heard since then."""
        ...

    def silent_hosts(self, *, heard_since: datetime, quiet_since: datetime, now: datetime) -> list[SilentHost]:
        """Mark the hosts that live and published nothing since ``quiet_since``, while another one never paused.

        Only hosts of an integration, all of whose publishers are without a backlog; each once, until it publishes.
        """
        ...

    def mark_line(self, name: str, at: datetime) -> None:
        """Move a named moment of the line forward, never back."""
        ...

    def claim_moment(self, name: str, at: datetime) -> bool:
        """Move a named moment forward, in one statement; false where it is as late already."""
        ...

    def claim_tick(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a named moment to now, if it is as long ago as that; false where another did so within that time."""
        ...

    def line(self, name: str) -> datetime | None:
        """Give a named moment of the line."""
        ...

    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        """Track announced calls; gives the ids of those that are new and have not ended."""
        ...

    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        """Say which alert speaks for these calls."""
        ...

    def end_calls(self, calls: Mapping[str, tuple[str, datetime]]) -> None:
        """Record outcome and end per call id; also for calls whose announcement is still on its way."""
        ...

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands."""
        ...

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Keep occurrences by name; ``total`` is the alert's count after they were added."""
        ...

    def members_since(self, alert_id: str, told: int, limit: int) -> tuple[str, ...]:
        """Give the first members that no message has named yet."""
        ...

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to how an alert's occurrences divide."""
        ...

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Give how the occurrences divide that no message has divided yet, and count them as told."""
        ...

    def mute(self, alert_id: str, muted_by: str, *, look_again_at: datetime) -> None:
        """Record what mutes a condition of which nobody was told; `told` ends it."""
        ...

    def withhold(self, alert_id: str, reason: str) -> None:
        """Record why a message reached nobody."""
        ...

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set when to remind of an open condition, unless it was acknowledged."""
        ...

    def silences(self, *, now: datetime) -> list[Silence]:
        """Give the silences that are in force."""
        ...

    def open_conditions(self) -> list[OpenCondition]:
        """Give the open conditions, which may mute others."""
        ...

    def lock_outages(self, targets: Iterable[Target]) -> dict[Target, Outage]:
        """Give how deployments and regions stand, locked, and new ones with them."""
        ...

    def open_outages(self) -> dict[Target, Outage]:
        """Give those that have an outage, locked; what another worker has is left to it."""
        ...

    def keep_outages(self, standings: Mapping[Target, Outage]) -> None:
        """Keep how deployments and regions stand."""
        ...

    def attempts(self, target: Target, *, start: int, end: int | None = None) -> list[Bucket]:
        """Give a target's buckets from one epoch second until before another."""
        ...

    def backlogged(self) -> bool:
        """Tell whether a publisher that lives has events that it could not send yet."""
        ...

    def lock_budgets(self, readings: Mapping[BudgetKey, Reading]) -> dict[BudgetKey, Standing]:
        """Give how these budgets stand, locked; one that was never heard of is there, locked, and not given."""
        ...

    def keep_budgets(self, standings: Mapping[BudgetKey, Standing]) -> None:
        """Keep how budgets stand."""
        ...

    def budget(self, key: BudgetKey) -> Standing | None:
        """Give how one budget stands."""
        ...

    def ended_budgets(self, *, now: datetime) -> dict[BudgetKey, Standing]:
        """Give the budgets whose period has ended and is not closed, locked."""
        ...

    def take_turn(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Claim what is to be done once in an interval; of two sweeps at once one gets it."""
        ...

    def was_raised(self, fingerprint: str) -> bool:
        """Tell whether an alert was ever raised, open or closed."""
        ...

    def users_of(self, day: date, *, before_days: int, least_nanos: int) -> Sequence[UserSpend]:
        """Give the users who spent something that day, and at least so much in it or in its month until then."""
        ...

    def spent_in(self, dimension: str, entity: str, first: date, last: date) -> int:
        """Give what an entity spent over all teams in these days, in nano-dollars."""
        ...

    def behind(self, dimension: str, entity: str, first: date, last: date) -> dict[str, list[tuple[str, int]]]:
        """Give the three models and keys on which a team, key or user spent most, with nano-dollars."""
        ...

    def live_budgets(self) -> dict[BudgetKey, Standing]:
        """Give the budgets whose period is not closed."""
        ...

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Give the open generation of an alert, locked."""
        ...

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Note that a channel's trouble is announced; false when it was before."""
        ...

    def mark_well(self, channel: str) -> bool:
        """Note that a channel's trouble is over; false when none was announced."""
        ...

    def told_channels(self, alert_id: str) -> tuple[str, ...]:
        """Name the channels that were, or will be, told of an alert."""
        ...

    def notify(self, message: Message, step: str, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification per channel; one that is there already stays as it is."""
        ...

    def fates(self, alert_ids: Sequence[str]) -> dict[str, Fate]:
        """Give what became of the one notification that each of these ids has."""
        ...

    def end_trials(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, Fate]:
        """Drop those of these notifications that are not settled yet; gives what became of each."""
        ...

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime | None) -> None:
        """Record up to which count the alert was told; without a next summary the alert is closed."""
        ...

    def due_alerts(self, *, now: datetime) -> list[OpenAlert]:
        """Give open alerts that are due (summary, reminder, muted), and hanging ones that are over; locked."""
        ...

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, now: datetime
    ) -> list[LostPublisher]:
        """Mark publishers lost that were last heard before ``silent_since``, and end their announced calls."""
        ...

    def dead_letter(
        self, kind: str, reason: str, payload: bytes, *, batch_id: str | None, position: int | None, now: datetime
    ) -> None:
        """Keep what nobody will retry."""
        ...

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        ...

    def prune(self, *, before: datetime, limit: int) -> bool:
        """Forget applied batches, ended calls and budgets, and old windows from before that moment.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_records(self, *, before: datetime, limit: int) -> bool:
        """Forget alerts, notifications, dead letters, silences and publishers that were over before that moment.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_ledger(self, *, before: date) -> bool:
        """Forget a piece of the ledger from before that day; true where that may not have been all."""
        ...


class Store(Protocol):
    """Where decisions live. Every method raises `StoreUnavailable` when it cannot be asked; that decides nothing."""

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Do the work in one transaction, from the start again where the database made it give way."""
        ...

    def rehearse(self, work: Callable[[Transaction], T]) -> T:
        """Do the work in one transaction, give its result, and take back everything it did."""
        ...

    def count_redelivery(self, batch_id: str) -> int:
        """Count that a batch came again; gives how often it did by now."""
        ...

    def due_channels(self, *, now: datetime) -> list[str]:
        """Name the channels with something due whose lane is free."""
        ...

    def lane_states(self, *, now: datetime) -> dict[str, LaneState]:
        """Give how each lane is that ever had a message."""
        ...

    def lease_lane(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Take a channel's lane in one statement; false while another worker has it or it must pause."""
        ...

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Give what is due in a lane and was never attempted, in the lane's order."""
        ...

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan, for those notifications that are still as they were."""
        ...

    def next_due(self, channel: str, *, now: datetime) -> Due | None:
        """Give the lane's next notification in order, messages of one alert one after the other."""
        ...

    def begin(self, notification_id: str, body: str, lease: Lease, *, pace: Pace, now: datetime) -> bool:
        """Keep the body before an attempt, and count the attempt against the lane's pace.

        From the first one on the message is what it is. False where the lane is another worker's by now.
        """
        ...

    def settle_sent(self, notification_id: str, lease: Lease, answer: str, *, now: datetime) -> bool:
        """Record that the receiver has it; true while the channel is announced as broken, though it is well again."""
        ...

    def settle_retry(
        self,
        notification_id: str,
        lease: Lease,
        *,
        error: DeliveryError,
        verdict: RetryAt,
        now: datetime,
    ) -> datetime:
        """Record when to try again; gives since when every attempt on this channel has failed.

        Where the lane is another worker's by now, that one decides; the attempt is recorded all the same.
        """
        ...

    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts; as with `settle_retry`."""
        ...

    def release_lane(self, lease: Lease, *, now: datetime) -> None:
        """Give the lane back."""
        ...
