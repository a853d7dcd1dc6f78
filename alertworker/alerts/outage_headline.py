"""The headline of an outage as data. Its words are made from the data, and nothing is read back out of the words."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from alertworker.text.names import shorten_hashes


class ModelState(StrEnum):
    """How a model group fails. Rows hold the value."""

    DOWN = "down"
    DOWN_FOR_USERS = "down_for_users"  # calls were lost
    FAILS = "fails"  #: on all deployments, which answer most calls
    FAILS_ON_MOST = "fails_on_most"  # of its deployments; the others answer
    FAILS_FOR_USERS = "fails_for_users"  # as one of these two, and calls were lost


_STATES: Final = {
    ModelState.DOWN: "is down",
    ModelState.DOWN_FOR_USERS: "is down for users",
    ModelState.FAILS: "fails on all deployments",
    ModelState.FAILS_ON_MOST: "fails on {failing} of {deployments} deployments",
    ModelState.FAILS_FOR_USERS: "fails for users",
}


class ModelOutcome(BaseModel):
    """How a model group fails, and how many of its calls were lost and saved.

    ``failing`` of the ``deployments`` that had calls fail.
    """

    model_config = ConfigDict(frozen=True)

    state: ModelState
    lost: int = 0
    by_fallback: int = 0
    by_retry: int = 0
    failing: int = 0
    deployments: int = 0

    @property
    def text(self) -> str:
        """The words of a headline.

        >>> ModelOutcome(state=ModelState.DOWN, lost=2, by_fallback=28).text
        'is down (2 calls lost, 28 saved by fallback)'
        """
        counts = [f"{self.lost} call{'s' if self.lost != 1 else ''} lost"]
        counts += [f"{self.by_fallback} saved by fallback"] if self.by_fallback else []
        counts += [f"{self.by_retry} saved by retry"] if self.by_retry else []
        state = _STATES[self.state].format(failing=self.failing, deployments=self.deployments)
        return f"{state} ({', '.join(counts)})"


class OutageHeadline(BaseModel):
    """The parts of an outage's headline. ``subject`` is what fails. ``outcome`` is that of a model group."""

    model_config = ConfigDict(frozen=True)

    subject: str
    is_major: bool
    is_flapping: bool = False
    outcome: ModelOutcome | None = None

    @property
    def text(self) -> str:
        """The headline, as rows and messages have it. The words "Minor" and "Major" are LiteLLM's.

        >>> OutageHeadline(subject="region eu (azure)", is_major=True, is_flapping=True).text
        'Flapping: Major Service Outage: region eu (azure)'
        """
        rank = f"{'Major' if self.is_major else 'Minor'} Service Outage: {self.subject}"
        words = ["Flapping: "] * self.is_flapping + [rank] + ([f" {self.outcome.text}"] if self.outcome else [])
        return shorten_hashes("".join(words))
