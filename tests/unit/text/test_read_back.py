"""No code reads state out of words that people see. State that is needed again is stored as data beside the words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "alertworker"
#: LiteLLM's own alerting sends nothing but words.
_FOREIGN = PACKAGE / "integrations"
#: The fields with words for people.
_WORDS = {"headline", "text", "what_to_do"}
_READERS = {
    *("split", "rsplit", "partition", "rpartition", "splitlines", "find", "index", "count"),
    *("replace", "startswith", "endswith", "removeprefix", "removesuffix"),
}


def is_worded(node: ast.expr) -> bool:
    """Return whether an expression is an attribute with words, or one fact."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "facts"
    return isinstance(node, ast.Attribute) and node.attr in _WORDS


def readings(source: str) -> list[str]:
    """Return the expressions that look into words."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READERS:
            found += [node] if is_worded(node.func.value) else []
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn | ast.Eq | ast.NotEq):
            found += [node] if any(map(is_worded, (*node.comparators, node.left))) else []
    return [ast.unparse(one) for one in found]


#: Readings of words that are no state: what may be read, and why.
ALLOWED = {
    "parts.text == headline": "whether a worker of the previous version has changed the headline beside its parts",
    "answer.text.partition(' {')": "an answer of Discord, which is the vendor's",
}


def test_no_code_reads_state_out_of_words() -> None:
    """A row or a message has a field for it instead."""
    found = {
        reading: str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        if _FOREIGN not in path.parents
        for reading in readings(path.read_text())
    }

    assert {reading: found[reading] for reading in found.keys() - ALLOWED.keys()} == {}
    assert ALLOWED.keys() <= found.keys()


@pytest.mark.parametrize(
    "source",
    ["alert.headline.rpartition(' (')", "standing.headline.replace('Minor', 'Major')", "'High' in message.headline"],
)
def test_a_reading_is_found(source: str) -> None:
    """These are the forms that the code once had."""
    assert readings(source)


def test_templates_compare_values_with_enums_and_cut_no_words() -> None:
    """A wrong name of a member is an error there. A wrong word would never be equal."""
    found = [
        f"{path.name}: {match[0]}"
        for path in sorted(PACKAGE.rglob("web/templates/*.html"))
        for match in re.finditer(
            r"""\.(?:state|reason|status|kind|type|severity)\s*[!=]=\s*["']|\[\d+:\d+\]""", path.read_text()
        )
    ]

    assert found == []
