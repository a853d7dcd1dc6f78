"""What a channel does unless its vendor's file says otherwise."""

from __future__ import annotations

from alertworker.alerts.message import Message


class BaseChannel:
    """Wants every message that is routed to it, one after the other."""

    parallel = 1
    tracks_spend = False
    keeps_open = False

    def takes(self, _message: Message, /) -> bool:
        """Tell whether this receiver wants such a message at all."""
        return True
