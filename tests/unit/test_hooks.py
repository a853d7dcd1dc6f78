"""The hooks before a commit run what `make check` runs first."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def _prerequisites(target: str) -> list[str]:
    found = re.search(rf"^{target}: ([^#\n]*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_the_hooks_are_the_first_checks_and_need_no_network() -> None:
    """A hook that `make check` does not run, or that loads its tools from elsewhere, surprises a contributor."""
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = repository["hooks"]

    assert repository["repo"] == "local"
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks] == [f"make {target}" for target in _prerequisites("quick")]
    assert _prerequisites("check")[0] == "quick"
