"""Fixtures of the contract tests, and the rule for their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.contract.kinds import KINDS
from tests.contract.receiver import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """Run an HTTP server whose answer the test sets."""
    running = Server()
    yield running
    running.close()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Require that the id of a test for a kind begins with the kind, so that ``-k <kind>`` finds all its tests."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or not item.path.is_relative_to(Path(__file__).parent):
            continue
        kind = callspec.params.get("kind")
        if kind in KINDS and not callspec.id.startswith(kind):
            raise pytest.UsageError(f"{item.nodeid}: put the decorator that names the kinds directly above the test")
