"""All scenarios by their names, and at which traffic each is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.simulate.scenario import Scenario, Traffic
from bench.simulate.scenarios_calls import CALLS, HEALTHY, LONG
from bench.simulate.scenarios_outages import OUTAGES

Make = Callable[[Traffic], Scenario]

#: A new scenario is a function in one of the files and a line at its end.
SCENARIOS: Final[Mapping[str, Make]] = {
    make(Traffic.LOW).name: make for make in (*OUTAGES, *CALLS, *HEALTHY, *LONG)
}
#: What is run if nothing is named.
DEFAULT: Final = tuple(make(Traffic.LOW).name for make in (*OUTAGES, *CALLS, *HEALTHY))


def traffics(name: str) -> tuple[Traffic, ...]:
    """Return at which traffic a scenario is run; healthy days say their own."""
    scenario = SCENARIOS[name](Traffic.HIGH)
    return (Traffic.HIGH,) if scenario.rate is not None and not scenario.incidents or scenario.day else tuple(Traffic)
