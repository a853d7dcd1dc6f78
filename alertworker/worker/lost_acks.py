"""What a worker does when the broker is gone just as a task is done: it connects anew, instead of waiting for ever.

A message that could not be acknowledged keeps its place among those a worker has at once. When all places are taken so,
Kombu's Redis transport takes nothing more, and while it takes nothing it does not look whether the connection is still
there (kombu 5.7, ``MultiChannelPoller._pause_brpop``). The message itself comes again, and changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Task as CeleryTask
from celery import bootsteps
from celery.worker.request import Request as CeleryRequest

#: How long the worker's loop may take to tell the broker, in seconds.
PATIENCE: Final = 2.0


class BrokerGone(ConnectionError):
    """The broker did not take an acknowledgement; the worker's consumer connects anew when it is raised in its loop."""


class Request(CeleryRequest):
    """A message that a worker has, until the broker knows that it is done."""

    #: The worker's; Kombu forgets which one it is when a connection is lost.
    loop: Any = None

    def acknowledge(self) -> None:
        """Acknowledge the message."""
        super().acknowledge()
        self._look_after_connection()

    def reject(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        """Return the message to its queue."""
        super().reject(requeue)
        self._look_after_connection()

    def _look_after_connection(self) -> None:
        """Look in a moment: the worker's loop has yet to do what was just asked for. Threads of its pool may ask."""
        loop = self.loop
        if loop is not None:
            loop.call_soon(loop.call_later, PATIENCE, check, self.message)


def check(message: Any) -> None:
    """End the connection of a message that the broker should know about by now, unless another took its place."""
    if not message.acknowledged and not getattr(message.channel, "closed", True):
        raise BrokerGone("the broker was gone when a task was done")


class Task(CeleryTask[Any, Any]):
    """A task whose messages are looked after so."""

    Request = "alertworker.worker.lost_acks:Request"
    #: A sender's arguments are not the function's, which is called with the message itself (`worker/opaque.py`).
    typing = False


class Loop(bootsteps.StartStopStep):
    """Tells requests which event loop their worker has."""

    requires = ("celery.worker.components:Hub",)

    def start(self, parent: Any) -> None:
        """Do so before the first message."""
        Request.loop = parent.hub
