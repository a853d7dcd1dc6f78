"""Label tests in Alertmanager's form: ``team="search"``, ``!=``, ``=~`` and ``!~``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from alertworker.errors import AlertWorkerError
from alertworker.routing.expressions import ExpressionError, check, matches
from alertworker.text.ids import unstorable

_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
#: A value without quotes. Alertmanager unescapes it, too. A quote of another kind at its start is a mistake.
_BARE: Final = r"""((?!['`])(?:[^\s"{},\\]|\\["\\]|\\(?!["\\]))+)"""
_FORM: Final = re.compile(rf'(?:({_NAME})|"({_NAME})")\s*(=~|!~|!=|=(?!~))\s*(?:{_QUOTED}|{_BARE})', re.DOTALL)
#: Commas separate matchers, also after the last one. Line breaks do, too, for input on pages.
_SEPARATOR: Final = re.compile(r"\s*,\s*|[^\S\n]*\n\s*|\s*\Z")
#: OpenMetrics' escapes. Any other backslash is literal, as regular expressions need it.
_ESCAPE: Final = re.compile(r'\\([\\"n])')
#: Labels that hold several values, separated by commas. One matching value is enough.
_MULTIPLE: Final = frozenset({"tag"})
#: How much of a matcher an error repeats, in characters.
_SHOWN: Final = 200
_EXAMPLES: Final = 'team="search", team!="x" or team=~"a|b"'


class MatcherError(AlertWorkerError):
    """A matcher cannot be read. The error quotes it and shows the expected form."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One test of one label. A label that an alert lacks is the empty string, as in Alertmanager."""

    label: str
    operator: str
    value: str

    def passes(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert's labels match. Regular expressions must match the whole value."""
        own = labels.get(self.label, "")
        values = own.split(",") if self.label in _MULTIPLE else [own]
        negative = self.operator.startswith("!")
        found = any(matches(self.value, value) for value in values) if self.is_expression else self.value in values
        return found is not negative

    @property
    def is_expression(self) -> bool:
        """Return whether the value is a regular expression."""
        return self.operator.endswith("~")

    @property
    def is_exact(self) -> bool:
        """Return whether only this exact value matches, so that a store can look alerts up by it."""
        return self.operator == "=" and self.value != "" and self.label not in _MULTIPLE

    def __str__(self) -> str:
        """Return the written form, which `parse` reads back."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{escaped}"'


def parse(text: str) -> Matcher:
    r"""Read one matcher.

    Raises:
        MatcherError: the text is not one matcher, or RE2 refuses its regular expression.

    >>> parse(r'team =~ "acme\.search|acme\\.billing"').value
    'acme\\.search|acme\\.billing'
    """
    found = parse_list(text)
    if len(found) != 1:
        raise MatcherError(f"expected one matcher, found {len(found)} in {_shown(text)}")
    return found[0]


def parse_list(text: str) -> tuple[Matcher, ...]:
    """Read matchers, separated by commas or line breaks. Braces around them are optional.

    Raises:
        MatcherError: a part is not a matcher, or RE2 refuses its regular expression. The error quotes the part.

    >>> [str(matcher) for matcher in parse_list('{team="a,b", model=~gpt.*,}')]
    ['team="a,b"', 'model=~"gpt.*"']
    """
    body = text.strip()
    if body.startswith("{") is not body.endswith("}"):
        raise MatcherError(f"unbalanced braces in {_shown(text)}: put the value into double quotes")
    if body.startswith("{"):
        body = body[1:-1].strip()
    found, place = [], 0
    while place < len(body):
        form = _FORM.match(body, place)
        separator = _SEPARATOR.match(body, form.end()) if form is not None else None
        if form is None or separator is None:
            raise MatcherError(f"invalid matcher {_shown(body[place:])}: expected, for example, {_EXAMPLES}")
        found.append(_read(form))
        place = separator.end()
    return tuple(found)


def all_pass(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether every matcher matches. An empty list matches everything."""
    return all(matcher.passes(labels) for matcher in matchers)


def _read(form: re.Match[str]) -> Matcher:
    name, quoted_name, operator, quoted, bare = form.groups()
    matcher = Matcher(name or quoted_name, operator, _unescape(quoted if quoted is not None else bare))
    problem = unstorable(matcher.value)
    if problem is not None:
        raise MatcherError(f"invalid value in matcher {_shown(form[0])}: {problem}")
    if matcher.is_expression:
        try:
            check(matcher.value)
        except ExpressionError as error:
            raise MatcherError(f"invalid regular expression in matcher {_shown(form[0])}: {error}") from None
    return matcher


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def _shown(text: str) -> str:
    """Return a string as errors repeat it: on one line, in quotes, and cut."""
    cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"'{cut}'" if cut.isprintable() else repr(cut)
