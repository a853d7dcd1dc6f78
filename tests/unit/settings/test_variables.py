"""The table of variables in the docs names every variable that is read, with the meaning that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alertworker.settings.variables import VARIABLES, table

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "configuration.md"
_TABLE = re.compile(r"(<!-- variables: [^\n]*-->\n)(.*?)(<!-- end of variables -->)", re.DOTALL)
#: How the code names a variable that it reads.
_READ = re.compile(r'(?:environ(?:\.get\(|\[)|getenv\(|envvar=|read_variable\(|_read\()"([A-Z][A-Z0-9_]+)"')


def test_the_table_of_the_docs_is_that_of_the_code(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text()
    wanted = _TABLE.sub(lambda found: f"{found[1]}{table()}\n{found[3]}", text)
    if request.config.getoption("--golden-update"):
        DOCUMENT.write_text(wanted)
    assert DOCUMENT.read_text() == wanted, "run this test with --golden-update"
    assert _TABLE.search(wanted)


def test_every_variable_that_any_module_reads_is_in_the_table() -> None:
    """Those of the settings are held by tests/unit/host/test_secret_files.py."""
    read = {name for path in (ROOT / "alertworker").rglob("*.py") for name in _READ.findall(path.read_text())}
    assert read >= {"ALERTWORKER_DATA_DIR", "LITELLM_DATABASE_URL"}
    assert sorted(read - set(VARIABLES)) == []


def test_every_variable_has_a_meaning() -> None:
    assert [name for name, meaning in VARIABLES.items() if not meaning.endswith((".", ")"))] == []
