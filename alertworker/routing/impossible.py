"""Matchers that match no alert or every alert: misspelt labels and values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from alertworker.alerts.labels import CLOSED, LABELS
from alertworker.routing.expressions import matches
from alertworker.routing.matchers import Matcher

#: An expression that is a list of values. Each value can be checked.
_VALUES: Final = re.compile(r"[\w.-]+(?:\|[\w.-]+)*")
#: The minimum similarity of a suggestion, between 0 and 1.
_ALIKE: Final = 0.6


def matcher_warnings(matchers: Iterable[Matcher]) -> tuple[str, ...]:
    """Return a warning for each label, and each value of a closed label, that no alert can have.

    >>> matcher_warnings([Matcher("severity", "=", "high")])
    ('severity="high": no alert has severity="high"; did you mean High?',)
    """
    return tuple(doubt for matcher in matchers for doubt in _doubts(matcher))


def label_warning(label: str) -> str | None:
    """Return a warning if no alert can have a label.

    >>> label_warning("sevrity")
    'no alert has a label sevrity; did you mean severity?'
    """
    return None if label in LABELS else f"no alert has a label {label}{_nearest(label, LABELS)}"


def _doubts(matcher: Matcher) -> Iterator[str]:
    unknown = label_warning(matcher.label)
    if unknown is not None:
        yield f"{matcher}: {unknown}"
        return
    known = CLOSED.get(matcher.label, ())
    for value in _impossible(matcher, known) if known and matcher.value else ():
        yield f'{matcher}: no alert has {matcher.label}="{value}"{_nearest(value, known)}'


def _impossible(matcher: Matcher, known: Collection[str]) -> Iterator[str]:
    """Yield the values of a matcher that do not exist, or its expression if it matches none of the known values."""
    if not matcher.is_expression:
        named = [matcher.value]
    elif _VALUES.fullmatch(matcher.value):
        named = [part for part in matcher.value.split("|") if not any(matches(part, value) for value in known)]
    else:
        named = [] if any(matches(matcher.value, value) for value in known) else [matcher.value]
    yield from (value for value in named if value not in known)


def _nearest(word: str, known: Collection[str]) -> str:
    """Return a suggestion for a misspelt name in any case, or all known names if none is similar.

    >>> _nearest("HIGH", ("Low", "High"))
    '; did you mean High?'
    """
    folded = {one.casefold(): one for one in sorted(known)}
    head = word.casefold().partition("_")[0]  # LiteLLM's team_alias and user_id are our team and user
    close = [head] if head in folded else get_close_matches(word.casefold(), folded, n=1, cutoff=_ALIKE)
    return f"; did you mean {folded[close[0]]}?" if close else f"; known are {', '.join(sorted(known))}"
