"""Label tests in Alertmanager's form: ``team="search"``, ``!=``, ``=~`` and ``!~``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from alertworker.errors import AlertWorkerError

_FORM: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"{},]+))\s*')
#: Labels that hold several values, with commas between them; one that passes is enough.
_MULTIPLE: Final = frozenset({"tag"})


class MatcherError(AlertWorkerError):
    """A matcher cannot be read; says which and how one looks."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One test of one label. A label that an alert does not have is the empty string, as in Alertmanager."""

    label: str
    operator: str
    value: str

    def passes(self, labels: Mapping[str, str]) -> bool:
        """Test an alert's labels. Regular expressions must match the whole value."""
        own = labels.get(self.label, "")
        values = own.split(",") if self.label in _MULTIPLE else [own]
        negative = self.operator.startswith("!")
        if self.operator in ("=", "!="):
            found = self.value in values
        else:
            found = any(re.fullmatch(self.value, value) for value in values)
        return found is not negative

    def __str__(self) -> str:
        """Give the form it is written in."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.operator}"{escaped}"'


def parse(text: str) -> Matcher:
    """Read one matcher.

    Raises:
        MatcherError: when it is none, or its regular expression is none.

    >>> str(parse('team =~ "search|billing"'))
    'team=~"search|billing"'
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MatcherError(f'{text!r} is no matcher; write one like team="search", team!="x", team=~"a|b"')
    label, operator, quoted, bare = found.groups()
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None and operator in ("=", "!=") else quoted or bare or ""
    if operator in ("=~", "!~"):
        try:
            re.compile(value)
        except re.error as error:
            raise MatcherError(f"{text!r} holds no regular expression: {error}") from None
    return Matcher(label, operator, value)


def all_pass(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether every one of them passes; none at all pass everything."""
    return all(matcher.passes(labels) for matcher in matchers)
