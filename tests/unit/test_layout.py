"""The tree keeps one word per concept, and the documents name paths that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "alertworker"
#: The only modules that may stand in the package's root. Everything else belongs to a concept.
ROOT_MODULES = {
    "__init__",
    "__main__",
    "app",
    "broker",
    "celery_defaults",
    "demo",
    "errors",
    "folding",
    "health",
    "money",
}
#: Folders that are floors of the house and not concepts.
FLOORS = {"channels", "cli", "imports", "pipeline", "ports", "settings", "store", "web", "worker"}
#: Modules of the pipeline that are steps of it, and no concept's.
STEPS = {
    "channel_tests",
    "credential_ends",
    "credential_reports",
    "current",
    "deliver",
    "dry_run",
    "explained",
    "ingest",
    "isolation",
    "judged_failures",
    "many_lost",
    "notify",
    "receive",
    "recheck",
    "refused",
    "replay",
    "report",
    "runtime",
    "store_watchdog",
    "sweep",
}
#: Modules of the store that are its own machinery, and no concept's.
STORE = {
    "additions",
    "admin",
    "alert_rows",
    "alert_search",
    "connection",
    "engine",
    "keys",
    "health",
    "migrations",
    "postgresql",
    "schema",
    "sql_store",
    "sqlite_files",
    "transaction",
    "upsert",
    "write_check",
}
#: Modules that the store's two folders hold beside what their concept's other floors name.
LEDGER = {"contributors", "days", "months"}
DELIVERY = {"changes", "delivered", "queue", "remainders"}
#: Modules of outages whose names are plain words, or words for what they compute.
PLAIN = {"alert", "callers", "counted_calls", "credential_alert", "ending", "facts", "headline", "model", "model_alert"}
PLAIN |= {"policy", "rows", "running_totals", "sums"}
#: Modules with a transport of kombu, whose classes have kombu's names.
TRANSPORTS = {"amqps", "from_rabbitmq", "from_redis", "opaque", "redis_transport"}
#: Tests of the whole, which belong to no concept.
LOOSE_TESTS = {
    "test_bench",
    "test_demo",
    "test_examples",
    "test_folding",
    "test_fuzz_targets",
    "test_hooks",
    "test_layout",
    "test_money",
    "test_registries",
    "test_sound_tests",
}
#: Names that do not describe a file's content.
EMPTY_WORDS = {"base_utils", "common", "handlers", "helpers", "manager", "misc", "utils"}


def words(folder: Path) -> set[str]:
    """Return the names of the modules and packages that stand directly in a folder."""
    modules = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


def test_the_root_holds_only_the_modules_of_a_short_list() -> None:
    """A new concept gets a folder, not a file in the root."""
    assert {path.stem for path in PACKAGE.glob("*.py")} <= ROOT_MODULES
    assert len(ROOT_MODULES) <= 10


def concepts() -> set[str]:
    """Return the words of all concepts: the pure folders' names, the ports' and those of the modules that both have."""
    pure = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - FLOORS
    inner = {
        word for folder in ("budgets", "ledger", "detectors", "outages", "routing") for word in words(PACKAGE / folder)
    }
    return pure | inner | words(PACKAGE / "ports")


def test_a_port_is_implemented_under_its_own_name() -> None:
    """`ports/<concept>.py` is answered by `store/<concept>`; the broker by the module of that name."""
    store = PACKAGE / "store"
    found = words(store) | words(store / "delivery") | words(store / "ledger") | {"broker"}
    ports = words(PACKAGE / "ports") - {"store"}  # the store itself is `store/sql_store.py`

    assert sorted(ports - found) == []


def test_a_module_of_the_pipeline_is_a_step_or_has_its_concepts_name() -> None:
    """`pipeline/<concept>.py` runs what `<concept>/` or one of its modules decides, on what its port gives."""
    assert sorted(words(PACKAGE / "pipeline") - STEPS - concepts()) == []


def test_a_module_of_the_store_is_machinery_or_has_its_concepts_name() -> None:
    """Its tables, ledger and lanes have the same names as in the other layers."""
    store = PACKAGE / "store"

    assert sorted(words(store) - STORE - concepts()) == []
    assert sorted(words(store / "schema") - concepts() - {"base"}) == []
    assert sorted(words(store / "ledger") - words(PACKAGE / "ledger") - words(PACKAGE / "ports") - LEDGER) == []
    assert sorted(words(store / "delivery") - words(PACKAGE / "ports") - DELIVERY) == []


def test_the_store_and_its_ports_name_the_type_of_every_row() -> None:
    """A row of type `Any` hides a misspelt column until a statement runs."""
    files = [path for folder in ("store", "ports") for path in (PACKAGE / folder).rglob("*.py")]

    assert [path for path in files if re.search(r"import .*\bAny\b", path.read_text())] == []


def test_a_class_has_its_name_alone() -> None:
    """A reader who meets the name knows which class it is. kombu gives their names to the classes of a transport."""
    places: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and path.stem not in TRANSPORTS:
                places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_function_is_longer_than_forty_lines() -> None:
    """A longer one holds a concept that has no name yet."""
    functions = [
        (f"{path.relative_to(PACKAGE)} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert {name: lines for name, lines in functions if lines > 40} == {}


def test_the_terms_of_outages_are_in_the_glossary() -> None:
    """Their rules have words of their own, which a newcomer cannot know."""
    rows = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    terms = set(rows) | {f"{term}s" for term in rows}
    named = words(PACKAGE / "outages") - PLAIN | {"target", "stretch", "episode"}

    assert sorted(named - terms) == []


def test_every_logger_has_the_name_of_its_module() -> None:
    """A log line then leads to the file that wrote it, and a level can be set for a package."""
    own = re.compile(r"""getLogger\(\s*["']alertworker""")

    assert [path for path in PACKAGE.rglob("*.py") if own.search(path.read_text())] == []


def test_a_docstring_of_a_port_stands_once() -> None:
    """Its implementation is marked with `@override`, so that a reader finds it in the port."""
    ports = {text for path in (PACKAGE / "ports").rglob("*.py") for text, _ in docstrings(path)}
    implementations = [*(PACKAGE / "store").rglob("*.py"), PACKAGE / "broker.py"]

    repeated = [text for path in implementations for text, overrides in docstrings(path) if overrides and text in ports]
    assert repeated == []


def docstrings(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the docstring of each function of a module, and whether the function overrides another."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield text, "override" in map(ast.unparse, node.decorator_list)


def test_unit_tests_stand_in_the_folder_of_their_concept() -> None:
    """`tests/unit/<concept>/` tests `alertworker/<concept>/`."""
    unit = ROOT / "tests" / "unit"
    folders = {str(path.parent.relative_to(unit)) for path in unit.rglob("test_*.py")} - {"."}

    assert sorted(folders - words(PACKAGE)) == []
    assert {path.stem for path in unit.glob("test_*.py")} <= LOOSE_TESTS


def test_no_module_has_a_meaningless_name() -> None:
    """A name describes the content of the file."""
    assert [path for path in PACKAGE.rglob("*.py") if path.stem in EMPTY_WORDS] == []


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    """A map of places that are gone is worse than none. `<word>` stands for any word and `*` for any text."""
    text = document.read_text()
    named = re.findall(r"(?<![\w/.-])((?:alertworker|tests|bench|docs|migrations)/[\w./<>*-]*[\w/>*])", text)
    patterns = {name: re.sub(r"<\w+>", "*", name).rstrip("/") for name in named}

    assert [name for name, pattern in patterns.items() if next(ROOT.glob(pattern), None) is None] == []


def test_the_architecture_names_every_folder() -> None:
    """A newcomer does not find a folder that the map lacks."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("*.py")} - {Path("alertworker")}
    inner = {Path("alertworker/channels/email"), Path("alertworker/integrations/litellm")}

    assert sorted(str(folder) for folder in folders - inner if f"`{folder}/`" not in text) == []
