"""Operators' regular expressions, run by RE2 as Alertmanager runs them: in time linear in the value, fully anchored."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import re2

#: A longer expression, in characters, is refused before RE2 sees it. RE2's time to match one value grows with the
#: square of the expression's length. It is up to 10 ms at this length, and 15 s at 30,000 characters.
MAX_LENGTH: Final = 1_000
#: The number of compiled expressions that a process keeps. It must exceed the number that routes, inhibitions and
#: silences have. Each alert is matched against all of them in order, so a smaller cache would compile each expression
#: again for each alert. A usual expression takes 5 KB, and any takes 8 MiB at most (RE2's ``max_mem``).
_KEPT: Final = 65_536
#: Half of a character outside the Basic Multilingual Plane. UTF-8 cannot encode it.
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: RE2's errors, or the start of one, with a remedy for each.
_REMEDIES: Final = {
    "invalid perl operator: (?=": "RE2 has no look-ahead; add a second matcher for the other condition",
    "invalid perl operator: (?!": "RE2 has no look-ahead; add a second matcher with !~ for what must not match",
    "invalid perl operator: (?<=": "RE2 has no look-behind; add a second matcher for the other condition",
    "invalid perl operator: (?<!": "RE2 has no look-behind; add a second matcher with !~ for what must not match",
    "invalid perl operator: (?P": "RE2 has named groups but no references to them; write the alternatives out",
    "invalid perl operator: (?>": "RE2 has no atomic groups and needs none; use (?:...)",
    "invalid escape sequence: \\Z": "the expression matches the whole value; leave \\Z out",
    "invalid repetition size": "repeat at most 1,000 times, nested repetitions multiplied",
    "pattern too large": "use fewer or smaller repetitions",
}
_DIVIDE: Final = "use several routes, inhibitions or silences with a shorter expression each"
_BACK_REFERENCE: Final = re.compile(r"invalid escape sequence: \\[1-9k]")


class ExpressionError(ValueError):
    """RE2 refuses an expression. The error gives the reason and the remedy."""


def check(expression: str) -> None:
    """Compile an expression.

    Raises:
        ExpressionError: RE2 does not accept the expression.
    """
    compiled = _compile(expression)
    if isinstance(compiled, str):
        raise ExpressionError(compiled)


def matches(expression: str, value: str) -> bool:
    """Return whether a checked expression matches the whole value."""
    found: bool = _compile(expression).fullmatch(_LONE_SURROGATE.sub("\ufffd", value)) is not None
    return found


@lru_cache(maxsize=_KEPT)
def _compile(expression: str) -> Any:
    """Return the compiled expression, or a string with the reason for its refusal. Both are worth caching."""
    if len(expression) > MAX_LENGTH:
        return f"it has {len(expression):,} characters, and at most {MAX_LENGTH:,} are allowed; {_DIVIDE}"
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        return _explain(error.args[0].decode(errors="replace"))


def _explain(problem: str) -> str:
    """Return RE2's own error with a remedy.

    >>> _explain("invalid perl operator: (?=")
    'invalid perl operator: (?=; RE2 has no look-ahead; add a second matcher for the other condition'
    """
    if _BACK_REFERENCE.match(problem):
        return f"{problem}; RE2 has no back references; write the alternatives out"
    fitting = (remedy for begin, remedy in _REMEDIES.items() if problem.startswith(begin))
    return f"{problem}; {next(fitting, 'use the syntax of RE2, as in Alertmanager')}"
