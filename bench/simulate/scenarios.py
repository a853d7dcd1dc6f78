"""All scenarios by their names, and at which traffic each is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.simulate.scenario import Scenario, Traffic
from bench.simulate.scenarios_callers import CALLERS
from bench.simulate.scenarios_limits import LIMITS
from bench.simulate.scenarios_outages import OUTAGES
from bench.simulate.scenarios_processes import HEALTHY, LONG, PROCESSES

Make = Callable[[Traffic], Scenario]

_USUAL: Final = (*OUTAGES, *LIMITS, *CALLERS, *PROCESSES, *HEALTHY)
#: A new scenario is a function in one of the files and a line at its end.
SCENARIOS: Final[Mapping[str, Make]] = {make(Traffic.LOW).name: make for make in (*_USUAL, *LONG)}
#: The scenarios that run without a name.
DEFAULT: Final = tuple(make(Traffic.LOW).name for make in _USUAL)


def traffics(name: str) -> tuple[Traffic, ...]:
    """Return at which traffic a scenario is run; healthy days say their own."""
    scenario = SCENARIOS[name](Traffic.HIGH)
    own = scenario.day or (scenario.rate is not None and not scenario.incidents)
    return (Traffic.HIGH,) if own else tuple(Traffic)
