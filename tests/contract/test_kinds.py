"""The contract tests themselves: a new kind is tested without being asked, and what is missing is named."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.contract.conftest import pytest_collection_modifyitems
from tests.contract.kinds import ALERT_KINDS, KINDS, problem_of


def test_every_kind_has_its_file_and_every_file_its_kind() -> None:
    """A file may be left from a kind that was removed."""
    files = {path.stem for path in (Path(__file__).parent / "vendors").glob("*.py")} - {"__init__"}

    assert files == set(KINDS)
    assert set(ALERT_KINDS) == set(KINDS) - {"budget_webhook"}


def test_a_kind_without_its_file_names_the_file_and_its_contents() -> None:
    """The failure is the instruction."""
    problem = problem_of("absent") or ""

    assert "tests/contract/vendors/absent.py is missing" in problem
    assert [name for name in ("config(url", "complaints(sent", "BROKEN") if name not in problem] == []


def test_a_file_that_lacks_a_definition_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list of broken bodies counts as missing."""
    module: Any = ModuleType("tests.contract.vendors.absent")
    module.__spec__ = ModuleSpec(module.__name__, None)
    module.config, module.complaints, module.BROKEN = str, str, []
    monkeypatch.setitem(sys.modules, module.__name__, module)
    problem = problem_of("absent") or ""

    assert "lacks definitions" in problem
    assert ("BROKEN" in problem, "config(url" in problem) == (True, False)


def _item(name: str) -> Any:
    return SimpleNamespace(
        path=Path(__file__), nodeid=name, callspec=SimpleNamespace(params={"kind": "slack"}, id=name)
    )


def test_the_id_of_a_test_begins_with_its_kind() -> None:
    """``-k slack`` finds all tests of Slack."""
    pytest_collection_modifyitems([_item("slack-204")])
    with pytest.raises(pytest.UsageError, match="directly above"):
        pytest_collection_modifyitems([_item("204-slack")])
