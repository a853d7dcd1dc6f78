"""The generated keys of an installation without configured keys."""

from __future__ import annotations

from pathlib import Path

from alertworker.embedded import made_keys


def test_the_key_is_made_once_and_only_for_its_user(tmp_path: Path) -> None:
    """A second start has the same; another folder has another."""
    path = tmp_path / "admin-key"
    key = made_keys.keep(path)

    assert made_keys.keep(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(key) >= 32
    assert made_keys.keep(tmp_path / "other") != key
