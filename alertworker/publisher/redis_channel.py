"""Redis and Valkey without the moment in which a batch is nobody's.

kombu's consumer takes a message off its list and only then notes it as unacknowledged; killed in between, it takes the
message along. So the publisher notes it, in the transaction that puts it on the list: the note is the one that a
consumer writes, under the same tag. Acknowledging removes it, and what was lost on the way comes back when the
visibility timeout is over. So does, once, what merely waited for longer than that; its id makes it harmless.
"""

from __future__ import annotations

import time
from typing import Any

from kombu.transport import redis
from kombu.utils.json import dumps


class NotingChannel(redis.Channel):
    """Notes each message as unacknowledged from its publication on."""

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        properties = message["properties"]
        tag, delivery = properties["delivery_tag"], properties["delivery_info"]
        note = dumps([message, delivery["exchange"], delivery["routing_key"]])
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))  # type: ignore[attr-defined]
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.zadd(self.unacked_index_key, {tag: time.time()})
            pipe.hset(self.unacked_key, tag, note)
            pipe.lpush(key, dumps(message))
            pipe.execute()


class NotingTransport(redis.Transport):
    """kombu's transport with channels that note."""

    Channel = NotingChannel
