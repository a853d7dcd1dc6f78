"""Virtual hosts on RabbitMQ. They are created in groups, because each run of `rabbitmqctl` takes seconds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

_GROUP: Final = 1


@dataclass
class VirtualHosts:
    """The virtual hosts of one test run, each for one test."""

    _free: list[str] = field(default_factory=list)
    _created: list[str] = field(default_factory=list)

    def new(self) -> str:
        """Return the name of an unused virtual host."""
        if not self._free:
            self._free = [f"alertworker_test_{uuid4().hex[:12]}" for _ in range(_GROUP)]
            self._created += self._free
            allowed = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
            definitions = {
                "vhosts": [{"name": name} for name in self._free],
                "permissions": [{"vhost": name, **allowed} for name in self._free],
            }
            _rabbitmqctl("import_definitions", given=json.dumps(definitions))
        return self._free.pop()

    def delete(self) -> None:
        """Delete all that were created."""
        names = ", ".join(f'<<"{name}">>' for name in self._created)
        _rabbitmqctl("eval", f'[rabbit_vhost:delete(Name, <<"tests">>) || Name <- [{names}]].')
        self._created.clear()


def _rabbitmqctl(*arguments: str, given: str = "") -> None:
    subprocess.run(["rabbitmqctl", "-q", *arguments], input=given, text=True, check=True, capture_output=True)
