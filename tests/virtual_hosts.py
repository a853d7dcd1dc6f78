"""Virtual hosts on RabbitMQ. They are created in groups, because each run of `rabbitmqctl` takes seconds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

_GROUP: Final = 4


@dataclass
class VirtualHosts:
    """The virtual hosts of one test run, each for one test.

    Each is deleted after its test. A worker declares about 30 quorum queues of three files each. RabbitMQ accepts no
    connection while it lacks file descriptors. With its usual limit of 1,024 it has enough for nine hosts in use.
    """

    _free: list[str] = field(default_factory=list)

    def new(self) -> str:
        """Return the name of an unused virtual host."""
        if not self._free:
            self._free = [f"alertworker_test_{uuid4().hex[:12]}" for _ in range(_GROUP)]
            allowed = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
            definitions = {
                "vhosts": [{"name": name} for name in self._free],
                "permissions": [{"vhost": name, **allowed} for name in self._free],
            }
            _rabbitmqctl("import_definitions", given=json.dumps(definitions))
        return self._free.pop()

    def delete_unused(self) -> None:
        """Delete those that no test has used."""
        for name in self._free:
            delete_host(name)
        self._free.clear()


def delete_host(name: str) -> None:
    """Delete a virtual host with its queues and connections, unless the test has done so."""
    _rabbitmqctl("eval", f'rabbit_vhost:delete(<<"{name}">>, <<"tests">>).')


def messages_of(name: str) -> int:
    """Return how many messages all queues of a virtual host have, also those that a consumer has not acknowledged."""
    return sum(map(int, _rabbitmqctl("list_queues", "--no-table-headers", "-p", name, "messages").split()))


def _rabbitmqctl(*arguments: str, given: str = "") -> str:
    command = ["rabbitmqctl", "-q", *arguments]
    return subprocess.run(command, input=given, text=True, check=True, capture_output=True).stdout
