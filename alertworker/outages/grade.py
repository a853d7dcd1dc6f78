"""Grades: how bad an outage is. High means that users are hurt.

Pure, and a function of the sums alone, as `windows` explains.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from alertworker.alerts.catalogue import Severity
from alertworker.outages.evidence import is_evident
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import RATE_LIMIT, Threshold, WindowVerdict

#: How long rate limits must last to be an outage if users are not hurt, in seconds.
_RATE_LIMITED_SECONDS: Final = 300
#: The minimum number of lost calls, and their minimum share of all calls, that hurt users.
HARM: Final = 5
HARM_SHARE: Final = 0.05
#: The minimum number of lost calls that hurt users of a dead target, whatever the share.
_HARM_IF_DEAD: Final = 3
#: The minimum share of failed calls of a major outage that hurts no users.
_MAJOR_SHARE: Final = 0.25


class Grade(NamedTuple):
    """How bad an outage is. ``is_high`` means that users are hurt, and decides the severity."""

    is_major: bool
    is_high: bool

    @property
    def rank(self) -> int:
        """The grade as a number from 1 to 4, as it is stored."""
        return 1 + self.is_major + 2 * self.is_high

    @property
    def alert_level(self) -> int:
        """The level of the alert, 1 or 2. It rises with the severity alone, so an outage fires at most twice."""
        return 1 + self.is_high

    @property
    def severity(self) -> Severity:
        """High if users are hurt, else Medium."""
        return Severity.HIGH if self.is_high else Severity.MEDIUM

    def worst(self, rank: int) -> Grade:
        """Return the worse of this grade and an earlier rank, for each of the two fields. Rank 0 means no outage."""
        return Grade(self.is_major or rank in (2, 4), self.is_high or rank > 2)


def grade(verdict: WindowVerdict, lost: int, limits: Limits) -> Grade | None:
    """Return the grade of an outage, ``None`` if there is no outage.

    ``lost`` is the number of calls that failed for users from its begin until `lost_until`. If the counts alone decide
    (`Limits.share` is 0), a major outage is High and a minor one Medium, as in LiteLLM.
    """
    if not verdict.crossed:
        return None
    major = verdict.is_dead or verdict.crossed is Threshold.MAJOR
    if not limits.share:
        return Grade(major, major)
    harm = lost >= max(HARM, HARM_SHARE * verdict.calls) or (verdict.is_dead and lost >= _HARM_IF_DEAD)
    if not harm and _is_rate_limited(verdict, limits):
        return Grade(major, is_high=False) if verdict.limited_seconds >= _RATE_LIMITED_SECONDS else None
    return Grade(major and (harm or verdict.failed >= _MAJOR_SHARE * verdict.calls), harm)


def lost_until(verdict: WindowVerdict, limits: Limits) -> int:
    """Return the epoch second before which lost calls count for the grade of a verdict.

    Lost calls are compared with the calls of the verdict's stretch. A call ends some time after its last failed
    attempt. So calls that end within a window after the stretch count, too.
    """
    return verdict.until + limits.span


def _is_rate_limited(verdict: WindowVerdict, limits: Limits) -> bool:
    """Return whether rate limits are the cause: the other failures alone are not an outage."""
    limited = verdict.causes.get(RATE_LIMIT, 0)
    failed, calls = verdict.failed - limited, verdict.calls - limited
    is_outage = failed >= max(limits.minor, limits.share * calls) and is_evident(failed, calls, limits.tolerated)
    return limited > 0 and not is_outage


def hurts_users(lost: int, calls: int, limits: Limits) -> bool:
    """Return whether lost calls hurt users: they are a large share of all calls, and more than chance explains."""
    return lost >= HARM and lost >= HARM_SHARE * calls and is_evident(lost, calls, limits.tolerated)
