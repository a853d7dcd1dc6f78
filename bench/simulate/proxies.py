"""The proxy's processes: their events, starts and ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from bench.simulate.faults import ClockChange, Crash, Delay, Roll
from bench.simulate.wire import Wire

#: How many hosts run a proxy, each with one process.
HOSTS: Final = 3
#: How often a publisher sends a heartbeat, in seconds.
HEARTBEAT: Final = 10.0
#: The length of the slots in which events are kept until they are due, in seconds: every step is a multiple of it.
_SLOT: Final = 5
#: How long a crashed process is away.
_RESTART: Final = 5.0


@dataclass(slots=True)
class Process:
    """One process from its start until its end.

    ``ahead`` is by how much its clock is ahead. ``due`` are its events, with the moments at which they are published,
    by the slot that these are in; ``held`` are those that it could not send.
    """

    host: str
    boot_id: str
    pid: int
    born: float
    died: float | None = None
    published: int = 0
    next_heartbeat: float = 0.0
    clean: bool = False
    ahead: float = 0.0
    due: dict[int, list[tuple[float, str]]] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return the fields of the process in a heartbeat."""
        return {
            "boot_id": self.boot_id,
            "host": self.host,
            "pid": self.pid,
            "version": "0.1.0",
            "integration": "litellm",
            "started_at": self.born,
            "counters": {"published": self.published, "sent": self.published},
        }


class Proxies:
    """All hosts. Moments are in seconds since the epoch; what happens to hosts is in seconds after ``zero``."""

    def __init__(self, events: Sequence[object], wire: Wire, *, start: float, zero: float) -> None:
        self._wire = wire
        self._zero = zero
        self._boots = 0
        self._changes = [one for one in events if isinstance(one, ClockChange)]
        self._delays = [one for one in events if isinstance(one, Delay)]
        self._ends = sorted(self._planned(events), key=lambda end: end[0])
        self.living: list[Process] = [self._boot(f"proxy-{number}", start) for number in range(HOSTS)]

    def choose(self, rng: Random) -> Process:
        """Return the process that takes a call."""
        return self.living[int(rng.random() * len(self.living))]

    def publish(self, process: Process, moment: float, event: str) -> None:
        """Have a process publish an event at a moment, if it still lives then."""
        process.due.setdefault(int(moment // _SLOT), []).append((moment, event))

    def sent_at(self, process: Process, moment: float) -> float:
        """Return when a process sends what it publishes at a moment, in seconds after ``zero``."""
        at = moment - self._zero
        return max([at, *(one.end for one in self._delays if one.host == process.host and one.start <= at < one.end)])

    def advance(self, begin: float, until: float) -> Iterator[tuple[Process, list[str]]]:
        """Yield what each process sends in a step; processes end and start on the way."""
        ended = self._change_hosts(until)
        for process in [*ended, *self.living]:
            sent = self._published(process, begin, until)
            process.ahead = self._ahead(process, until)
            if self._is_cut_off(process, until):
                process.held += sent
                continue
            sent = process.held + sent + self._said(process, until)
            process.held = []
            if sent:
                yield process, sent

    @staticmethod
    def _published(process: Process, begin: float, until: float) -> list[str]:
        slots = range(int(begin // _SLOT), int(until // _SLOT))
        due = sorted(event for slot in slots for event in process.due.pop(slot, ()))
        events = [event for moment, event in due if process.died is None or moment <= process.died]
        process.published += len(events)
        return events

    def _said(self, process: Process, until: float) -> list[str]:
        """Return the heartbeat that is due, or the event of its shutdown."""
        if process.died is not None:
            said = self._wire.stopped(process.died + process.ahead, process.facts())
            return [said] if process.clean else []
        if until < process.next_heartbeat:
            return []
        process.next_heartbeat = until + HEARTBEAT
        return [self._wire.heartbeat(until + process.ahead, process.facts(), len(process.held))]

    def _change_hosts(self, until: float) -> list[Process]:
        """End the processes whose time has come and start their successors; return those that ended."""
        ended: list[Process] = []
        while self._ends and self._ends[0][0] < until:
            moment, host, successor, clean = self._ends.pop(0)
            for process in [one for one in self.living if one.host == host and one.born < moment]:
                process.died = moment
                process.clean = clean
                self.living.remove(process)
                ended.append(process)
            self.living.append(self._boot(successor, moment + _RESTART))
        return ended

    def _boot(self, host: str, born: float) -> Process:
        self._boots += 1
        return Process(host, f"boot-{self._boots:04d}", 100 + self._boots, born, next_heartbeat=born)

    def _planned(self, events: Sequence[object]) -> Iterator[tuple[float, str, str, bool]]:
        """Yield when a host's process ends, which host comes after it, and whether it shuts down cleanly."""
        for one in events:
            if isinstance(one, Crash):
                moment = one.start
                while moment < one.end:
                    yield self._zero + moment, one.host, one.host, False
                    moment += one.every
            elif isinstance(one, Roll):
                for number in range(HOSTS):
                    moment = self._zero + one.start + number * one.gap
                    yield moment, f"proxy-{number}", f"proxy-new-{number}", one.clean

    def _ahead(self, process: Process, moment: float) -> float:
        at = moment - self._zero
        return sum(one.ahead for one in self._changes if one.host == process.host and one.start <= at < one.end)

    def _is_cut_off(self, process: Process, moment: float) -> bool:
        return self.sent_at(process, moment) > moment - self._zero
