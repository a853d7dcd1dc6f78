"""LiteLLM's ``slack_budget_alert_key_aliases``: Slack gets budget alerts only for keys with a matching alias."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.matchers import Matcher
from alertworker.routing.router import Route

_BUDGETS: Final = Matcher("alert_type", "=", AlertType.BUDGET_ALERTS.value)
#: The budgets of keys: LiteLLM's, and those that `alertworker` keeps itself.
_OF_KEYS: Final = Matcher("budget", "=~", "key|own key .*")
_CLASS: Final = re.compile(r"\[(!?)(\]?[^\]]*)\]", re.DOTALL)
_PLAIN: Final = re.compile(r"[\w\s-]")


def budget_routes(patterns: Iterable[str], everywhere: str, without_slack: str) -> tuple[Route, ...]:
    """Return the routes of budget alerts, by the names of the receiver with Slack and of the one without it.

    A key without an alias never matches. All budgets that are not of keys go to the receiver without Slack.
    """
    expressions = "|".join(_expression(pattern) for pattern in patterns)
    rest = Route(matchers=(_BUDGETS,), receiver=without_slack)
    if not expressions:
        return (rest,)
    of_alias = (_BUDGETS, _OF_KEYS, Matcher("key", "!=", ""), Matcher("key", "=~", expressions))
    return Route(matchers=of_alias, receiver=everywhere), rest


def _expression(pattern: str) -> str:
    r"""Return the regular expression of a pattern of Python's ``fnmatchcase``, without what RE2 does not have.

    >>> _expression("github-*"), _expression("a.b?"), _expression("x[!ab]")
    ('github-.*', 'a\\.b.', 'x[^ab]')
    """
    return "".join(_parts(pattern))


def _parts(pattern: str) -> Iterator[str]:
    place = 0
    while place < len(pattern):
        character, found = pattern[place], _CLASS.match(pattern, place)
        if found is not None:
            members = found[2].replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]").replace("^", r"\^")
            yield f"[{'^' if found[1] else ''}{members}]"
            place = found.end()
            continue
        yield {"*": ".*", "?": "."}.get(character) or _escaped(character)
        place += 1


def _escaped(character: str) -> str:
    return character if _PLAIN.match(character) else f"\\{character}"
