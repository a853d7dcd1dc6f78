"""The publisher that a proxy installs: `publish` appends to a buffer and returns. A thread does the rest."""

from __future__ import annotations

from alertworker.publisher.inflight import InFlight
from alertworker.publisher.publisher import Publisher
from alertworker.publisher.registry import get_publisher
from alertworker.publisher.spool import Spool
from alertworker.publisher.transports import BrokerTransport, Transport

__all__ = ["BrokerTransport", "InFlight", "Publisher", "Spool", "Transport", "get_publisher"]
