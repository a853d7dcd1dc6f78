"""What the core needs from outside, as Protocols; `app` names the classes that answer them."""

from __future__ import annotations

from alertworker.delivery.channel import Answer, Channel, Pace
from alertworker.ports.alerts import Fate
from alertworker.ports.calls import LostPublisher, SilentHost
from alertworker.ports.line import Line, Marker, OutageMarker
from alertworker.ports.store import DeadLetter, Due, LaneState, Lease, Letters, Store, Transaction, Turn

__all__ = [
    "Answer",
    "Channel",
    "DeadLetter",
    "Due",
    "Fate",
    "LaneState",
    "Lease",
    "Letters",
    "Line",
    "LostPublisher",
    "Marker",
    "OutageMarker",
    "Pace",
    "SilentHost",
    "Store",
    "Transaction",
    "Turn",
]
