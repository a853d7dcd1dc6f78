"""What the core needs from outside, as Protocols; `app` names the classes that answer them."""

from __future__ import annotations

from alertworker.ports.broker import Broker
from alertworker.ports.clock import Clock
from alertworker.ports.dead_letters import DeadLetter, Letters
from alertworker.ports.lanes import Due, LanePort, LaneState, Lease, QueuePort, Turn
from alertworker.ports.notifications import DeliveryResult
from alertworker.ports.outage_marker import Marker, OutageMarker
from alertworker.ports.publishers import LostPublisher, SilentHost
from alertworker.ports.store import Store, Transaction

__all__ = [
    "Broker",
    "Clock",
    "DeadLetter",
    "DeliveryResult",
    "Due",
    "LanePort",
    "LaneState",
    "Lease",
    "Letters",
    "LostPublisher",
    "Marker",
    "OutageMarker",
    "QueuePort",
    "SilentHost",
    "Store",
    "Transaction",
    "Turn",
]
