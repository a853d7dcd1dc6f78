"""What the core needs from outside, as Protocols; `app` names the classes that answer them."""

from __future__ import annotations

from alertworker.ports.broker import Broker
from alertworker.ports.dead_letters import DeadLetter, Letters
from alertworker.ports.lanes import Due, LaneState, Lease, Turn
from alertworker.ports.notifications import Fate
from alertworker.ports.outage_marker import Marker, OutageMarker
from alertworker.ports.publishers import LostPublisher, SilentHost
from alertworker.ports.store import Store, Transaction

__all__ = [
    "Broker",
    "DeadLetter",
    "Due",
    "Fate",
    "LaneState",
    "Lease",
    "Letters",
    "LostPublisher",
    "Marker",
    "OutageMarker",
    "SilentHost",
    "Store",
    "Transaction",
    "Turn",
]
