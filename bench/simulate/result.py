"""The score of one incident, and what JSON has of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Score:
    """How one incident was dealt with; ``None`` where there is nothing to judge.

    ``seconds`` is from its start to the first message that names it, ``due`` by when that had to come. ``messages``
    are all about it. ``false`` counts messages about nothing that happened, in silence, and after the end; those
    about nothing stand with a scenario's first incident. ``since_right`` is whether no message dates the incident
    before its start. ``notices`` are first notices at Low, always allowed. ``log`` has a line for each message about
    it and each false one.
    """

    scenario: str
    traffic: str
    seed: int
    incident: str
    detected: bool | None
    seconds: int | None
    due: int | None
    messages: int
    allowed: int | None
    false: int
    false_high: int
    notices: int
    end: str | None
    since_right: bool | None
    level: str | None
    level_right: bool | None
    calls: int
    lost: int
    log: tuple[str, ...] = ()
    took: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """The differences from the labels."""
        late = f"first message after {self.seconds} s, due after {self.due} s"
        checks = (
            (self.detected is False, "not detected" if self.seconds is None else late),
            (self.allowed is not None and self.messages > self.allowed, f"{self.messages} messages"),
            (self.false > 0, f"{self.false} false" + (f", {self.false_high} High" if self.false_high else "")),
            (self.end not in (None, "ok"), f"end {self.end}"),
            (self.since_right is False, "began later than stated"),
            (self.level_right is False, f"level {self.level or 'missing'}"),
        )
        return [text for applies, text in checks if applies]

    @property
    def passed(self) -> bool:
        """Whether everything is as the labels say."""
        return not self.wrong

    def row(self) -> dict[str, Any]:
        """Return the score as JSON has it."""
        return asdict(self) | {"passed": self.passed}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Score:
        """Return the score that a row of JSON has."""
        fields = {name: value for name, value in row.items() if name != "passed"}
        return cls(**fields | {"log": tuple(fields.get("log", ()))})
