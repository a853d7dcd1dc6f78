"""The rules themselves: a body that breaks one is refused. A rule that refuses nothing proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.kinds import KINDS, cases_of, complaints, problem_of, sent, vendor_of


def _broken() -> Iterator[Any]:
    for kind in KINDS:
        names = [] if problem_of(kind) else [name for name, _ in vendor_of(kind).BROKEN]
        for number, name in enumerate(names or ["no rules yet"]):
            yield pytest.param(kind, number, id=f"{kind}: {name}")


@pytest.mark.parametrize(("kind", "number"), list(_broken()))
def test_a_broken_body_is_refused(kind: str, number: int) -> None:
    """For the reason that it was broken for."""
    complaint, change = vendor_of(kind).BROKEN[number]
    cases = cases_of(kind)
    whole = sent(kind, cases.get("raised") or cases["budget"])

    assert complaints(kind, whole) == []
    assert any(complaint in found for found in complaints(kind, change(whole)))
