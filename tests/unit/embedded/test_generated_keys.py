"""The generated keys of an installation without configured keys."""

from __future__ import annotations

from pathlib import Path

from alertworker.embedded import generated_keys


def test_the_key_is_made_once_and_only_for_its_user(tmp_path: Path) -> None:
    """A second start has the same; another folder has another."""
    path = tmp_path / "admin-key"
    key = generated_keys.load_or_create(path)

    assert generated_keys.load_or_create(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(key) >= 32
    assert generated_keys.load_or_create(tmp_path / "other") != key
