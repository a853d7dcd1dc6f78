"""A low limit on open files is raised, or is a sentence before anything starts."""

from __future__ import annotations

import resource

import pytest

from alertworker.errors import AlertWorkerError
from alertworker.host.open_files import raise_file_limit


@pytest.mark.parametrize(("limits", "raised"), [((64, 4_096), 1_024), ((64, 512), 512), ((64, -1), 1_024)])
def test_the_limit_is_raised_as_far_as_the_user_may(
    limits: tuple[int, int], raised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: found.append(new))
    raise_file_limit()
    assert found == [(raised, limits[1])]


def test_a_limit_that_stays_too_low_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker would end in a traceback of its pool, and the broker would not start."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 40))
    with pytest.raises(AlertWorkerError, match=r"may open 40 files, and it needs 256; raise the limit"):
        raise_file_limit()
