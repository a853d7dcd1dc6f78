"""No sum in SQL can overflow. This test reads the source of every statement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "alertworker"
#: The only places with SQL's own sum(): what makes the sums, and what reads LiteLLM's database.
MAY_SUM = {"store/sums.py", "imports/litellm_daily.py", "imports/litellm_logs.py"}
#: Additions that no producer can repeat often, that count rows of an import, or that have a bound of their own.
MAY_ADD = {
    "ALERTS.c.summaries + 1",
    "IMPORTS.c.rows + page.rows",
    "NOTIFICATIONS.c.attempts + int(verdict.counts)",
    "REDELIVERIES.c.times + 1",
    "SPEND.c[name] + bindparam(name)",  # both are fitted to the largest sum, which their sum then is cut to
    "WINDOWS.c.bucket + literal_column('0')",  # not a sum: it keeps SQLite from an index
    "kept + more",
}
FILES = sorted(path for folder in ("store", "imports", "cli", "web") for path in (PACKAGE / folder).rglob("*.py"))


def plain_sums(source: str) -> Iterator[str]:
    """Yield the calls of an SQL function that adds up rows, and the strings of SQL that do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in {"sum", "total", "avg"}:
            if ast.unparse(node.value).split(".")[-1] in {"func", "functions"}:
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"(?i)\b(?:sum|total|avg)\(\w+", node.value) if "SELECT" in node.value else ()


def plain_additions(source: str) -> Iterator[str]:
    """Yield the additions to a column of a statement."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and not isinstance(node.left, ast.List):
            text = ast.unparse(node)
            if re.search(r"\.c\b|\bexcluded\b|\btable\.|^(kept|column) \+", text):
                yield text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rows_are_added_up_by_the_sums_that_cannot_overflow(path: Path) -> None:
    """`capped_sum` and `capped_add` of store/sums.py are these."""
    source = path.read_text()
    own = set(plain_sums(source)) if str(path.relative_to(PACKAGE)) not in MAY_SUM else set()

    assert own | (set(plain_additions(source)) - MAY_ADD) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("select(func.sum(SPEND.c.spend_nanos))", ["func.sum"]),
        ("select(sqlalchemy.func.total(SPEND.c.spend_nanos))", ["sqlalchemy.func.total"]),
        ("text('SELECT sum(spend_nanos) FROM spend')", ["sum(spend_nanos"]),
        ("sum(row.spend_nanos for row in rows)", []),
        ("{'count': ALERTS.c.count + alert.count}", ["ALERTS.c.count + alert.count"]),
        ("{'count': table.c['count'] + statement.excluded.count}", ["table.c['count'] + statement.excluded.count"]),
    ],
)
def test_a_plain_sum_is_found(source: str, found: list[str]) -> None:
    assert [*plain_sums(source), *plain_additions(source)] == found
