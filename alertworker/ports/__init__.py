"""What the core needs from outside, as Protocols; `app` names the classes that implement them."""

from __future__ import annotations

from alertworker.ports.aliases import AliasPort
from alertworker.ports.batches import CounterPort
from alertworker.ports.broker import Broker
from alertworker.ports.dead_letters import DeadLetter, Letters
from alertworker.ports.lanes import Due, LaneState, Lease, Turn
from alertworker.ports.notifications import Fate, NotificationPort
from alertworker.ports.outage_marker import Marker, OutageMarker
from alertworker.ports.outages import OutagePort
from alertworker.ports.publishers import LostPublisher, PublisherPort, SilentHost
from alertworker.ports.retention import RetentionPort
from alertworker.ports.store import Store, Transaction

__all__ = [
    "AliasPort",
    "Broker",
    "CounterPort",
    "DeadLetter",
    "Due",
    "Fate",
    "LaneState",
    "Lease",
    "Letters",
    "LostPublisher",
    "Marker",
    "NotificationPort",
    "OutageMarker",
    "OutagePort",
    "PublisherPort",
    "RetentionPort",
    "SilentHost",
    "Store",
    "Transaction",
    "Turn",
]
