"""Lost acknowledgements: reconnect if the broker is away when a task is done, instead of waiting forever.

A message that could not be acknowledged still counts against the prefetch limit. At the limit, kombu's Redis transport
stops reading, and then it does not notice that the connection is lost (kombu 5.7,
``MultiChannelPoller._pause_brpop``). The broker redelivers the message, which then changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from celery import Task as CeleryTask
from celery import bootsteps
from celery.worker.request import Request as CeleryRequest
from celery.worker.state import task_ready

#: How long the worker's event loop may take to send an acknowledgement, in seconds.
PATIENCE: Final = 2.0


class BrokerGone(ConnectionError):
    """The broker did not receive an acknowledgement. In the worker's event loop this makes the consumer reconnect."""


class Request(CeleryRequest):
    """A Celery request that checks whether its acknowledgement reached the broker.

    Its task may work on the messages of other requests, too. These end with it.
    """

    #: The worker's event loop. kombu loses its reference when a connection is lost.
    loop: Any = None
    #: The other requests whose messages the task works on.
    joined: Sequence[Request] = ()

    def join(self, others: Sequence[Request]) -> None:
        """Pass the messages of other requests to this one's task, in its argument ``more``."""
        self.joined = others
        if others:
            self.kwargs["more"] = [other.kwargs["message"] for other in others]

    def acknowledge(self) -> None:
        """Acknowledge the message, and those of the joined requests."""
        super().acknowledge()
        self._schedule_check()
        for other in self.joined:
            task_ready(other)
            other.acknowledge()

    def reject(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        """Return the message to its queue, and those of the joined requests before it: the last one is served next."""
        for other in reversed(self.joined):
            task_ready(other)
            other.reject(requeue)
        super().reject(requeue)
        self._schedule_check()

    def _schedule_check(self) -> None:
        """Schedule the check: the event loop sends the acknowledgement later. Threads of the pool call this, too."""
        loop = self.loop
        if loop is not None:
            loop.call_soon(loop.call_later, PATIENCE, check, self.message)


def check(message: Any) -> None:
    """Raise an error if a message is not acknowledged yet, unless its connection was replaced.

    Raises:
        BrokerGone: the broker did not receive the acknowledgement.
    """
    if not message.acknowledged and not getattr(message.channel, "closed", True):
        raise BrokerGone("the broker did not receive the acknowledgement of a finished task")


class Task(CeleryTask[Any, Any]):
    """A task whose requests check their acknowledgements."""

    Request = "alertworker.worker.lost_acks:Request"
    #: Celery must not check a sender's arguments: the function is called with the message itself (`worker/opaque.py`).
    typing = False


class Loop(bootsteps.StartStopStep):
    """A step of the worker's start that passes the event loop to requests."""

    requires = ("celery.worker.components:Hub",)

    def start(self, parent: Any) -> None:
        """Set the event loop before the first message."""
        Request.loop = parent.hub
