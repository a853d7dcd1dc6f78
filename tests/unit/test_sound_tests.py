"""The tests themselves use no pattern that fails at times."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TESTS: Final = Path(__file__).parents[1]
_FILES: Final = sorted(path for path in _TESTS.rglob("*.py") if path.name not in ("processes.py", "ports.py"))
#: Calls by the end of their name, with the reason and the remedy.
_UNSOUND: Final = {
    ".cmdline": "the process may have ended; use tests.processes.children",
    ".children": "a child may have ended; use tests.processes.children",
    "with subprocess.Popen": "a failure in the block waits for the program; use tests.processes.running",
    "children(os.getpid())": "this includes the fork server of other tests; use the pid of the test's program",
    ".bind": "another program may take the port before it is used; use tests.ports.free_port",
}


def _calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            yield from (f"with {ast.unparse(item.context_expr).partition('(')[0]}" for item in node.items)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            yield f"{ast.unparse(node.func)}({ast.unparse(node.args[0]) if node.args else ''})"


def test_no_test_calls_what_fails_at_times() -> None:
    found = {
        f"{path.relative_to(_TESTS)}: {call}: {remedy}"
        for path in _FILES
        for call in _calls(ast.parse(path.read_text()))
        for end, remedy in _UNSOUND.items()
        if call.endswith(end)
    }
    assert found == set()
