"""The colours of messages on the terminal."""

from __future__ import annotations

import io
import sys

import pytest

from alertworker.alerts.catalogue import Severity
from alertworker.channels.console import Console, ConsoleConfig
from tests.contract.cases import CASES


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("severity", "code"), [(Severity.LOW, "\x1b[1;34m"), (Severity.HIGH, "\x1b[1;31m")])
def test_the_severity_and_no_word_of_a_headline_decides_the_colour(
    monkeypatch: pytest.MonkeyPatch, severity: Severity, code: str
) -> None:
    """A caller may choose a model's name."""
    screen = Screen()
    monkeypatch.setattr(sys, "__stdout__", screen)
    message = CASES["raised"].model_copy(update={"severity": severity, "headline": "model [High] 🟢 [Medium]"})
    console = Console(ConsoleConfig())
    console.send(console.render(message), notification_id="1")

    assert screen.getvalue().startswith(code)
