"""The interfaces that the core needs from outside, as Protocols; `app` names the classes that implement them."""

from __future__ import annotations

from alertworker.ports.aliases import AliasPort
from alertworker.ports.batches import CounterName, CounterPort
from alertworker.ports.broker import Broker
from alertworker.ports.clock import Clock
from alertworker.ports.dead_letters import DeadLetter, Letters
from alertworker.ports.lanes import Due, LanePort, LaneState, Lease, QueuePort, Turn
from alertworker.ports.notifications import DeliveryResult, NotificationPort
from alertworker.ports.outage_marker import Marker, OutageMarker
from alertworker.ports.outages import OutagePort
from alertworker.ports.publishers import Host, HostState, Lifetime, LostPublisher, PublisherPort, SilentHost
from alertworker.ports.retention import RetentionPort
from alertworker.ports.store import Store, Transaction

__all__ = [
    "AliasPort",
    "Broker",
    "Clock",
    "CounterName",
    "CounterPort",
    "DeadLetter",
    "DeliveryResult",
    "Due",
    "Host",
    "HostState",
    "LanePort",
    "LaneState",
    "Lease",
    "Letters",
    "Lifetime",
    "LostPublisher",
    "Marker",
    "NotificationPort",
    "OutageMarker",
    "OutagePort",
    "PublisherPort",
    "QueuePort",
    "RetentionPort",
    "SilentHost",
    "Store",
    "Transaction",
    "Turn",
]
