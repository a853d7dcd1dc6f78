"""A data folder that cannot be used is a sentence with the folder, the reason and the remedy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from alertworker.app import build_engine
from alertworker.embedded.supervisor import lock
from alertworker.errors import AlertWorkerError
from alertworker.host.paths import check_temporary_folder, make_data_dir
from alertworker.settings import Settings


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_folder_that_cannot_be_created_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`db upgrade`, `doctor` and the lists begin there."""
    monkeypatch.setenv("ALERTWORKER_DATA_DIR", str(tmp_path / "absent"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        AlertWorkerError, match=r"absent cannot be used \(Permission denied\); set ALERTWORKER_DATA_DIR"
    ):
        build_engine(Settings())


def test_a_folder_of_another_user_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would report "unable to open database file"."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(AlertWorkerError, match=r"cannot be used \(it belongs to another user\)"):
        make_data_dir(tmp_path)


def test_a_volume_of_another_owner_can_be_used_if_this_user_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenShift's random user is in the group of the volume, and may not change its mode."""
    monkeypatch.setattr(Path, "chmod", refuse)
    with lock(tmp_path) as held:
        assert held.name == str(tmp_path / "run.lock")


def test_a_path_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AlertWorkerError, match=r"cannot be used \(File exists\)"):
        make_data_dir(tmp_path / "file")


def test_no_folder_for_temporary_files_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with a read-only root has none. The worker's pool would fail without a reason that helps."""

    def refuse() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    with pytest.raises(AlertWorkerError, match=r"found in \['/tmp'\]\); mount a writable /tmp, or set TMPDIR"):
        check_temporary_folder()
