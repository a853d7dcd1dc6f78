"""The spool: batches on disk, bounded, in order, and private to one process."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertworker.events.batch import SealedBatch
from alertworker.publisher.spool import Spool

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def sealed(number: int, events: int = 2) -> SealedBatch:
    """Return a batch of about 250 bytes."""
    return SealedBatch(f"id-{number}", "producer", NOW, events, b"x" * 150)


OpenSpool = Callable[..., Spool]


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[OpenSpool]:
    """Return a function that opens a spool below the test's folder. All spools are closed at the end."""
    opened: list[Spool] = []

    def open_one(boot_id: str = "boot", *, root: Path = tmp_path, max_bytes: int = 10_000) -> Spool:
        opened.append(Spool(root, boot_id, max_bytes=max_bytes))
        return opened[-1]

    yield open_one
    for spool in opened:
        spool.close()


def ids(spool: Spool) -> list[str]:
    """Return the ids of the batches in order."""
    return [batch.batch_id for _, batch in spool.batches()]


def test_batches_come_back_as_they_were_and_in_order(open_spool: OpenSpool) -> None:
    """Id, producer, time, count and bytes are unchanged: the same batch is sent later."""
    spool = open_spool()
    for number in range(12):
        assert spool.add(sealed(number)) == 0

    assert [batch for _, batch in spool.batches()] == [sealed(number) for number in range(12)]
    assert len(spool) == 24


def test_a_full_spool_drops_the_oldest_and_returns_their_number(open_spool: OpenSpool, tmp_path: Path) -> None:
    """The files stay within the bound, and the newest batches stay."""
    spool = open_spool(max_bytes=2_000)
    dropped = sum(spool.add(sealed(number)) for number in range(60))

    kept = ids(spool)
    assert kept == [f"id-{number}" for number in range(60 - len(kept), 60)]
    assert dropped == (60 - len(kept)) * 2
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.batch")) <= 2_000


def test_only_its_owner_can_read_it(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Other users can read neither the folder nor the files."""
    spool = open_spool(root=tmp_path / "spool")
    spool.add(sealed(1))

    assert (tmp_path / "spool" / "boot").stat().st_mode & 0o077 == 0
    assert next((tmp_path / "spool").rglob("*.batch")).stat().st_mode & 0o077 == 0


def test_a_living_owners_folder_is_not_adopted(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Its lock protects the folder. After the lock is released, another process adopts the batches."""
    owner = open_spool("owner")
    owner.add(sealed(1))
    heir = open_spool("heir")

    assert heir.adopt() == 0
    owner.close()
    assert heir.adopt() == 2
    assert ids(heir) == ["id-1"]
    assert not (tmp_path / "owner").exists()


def test_a_file_that_cannot_be_read_is_set_aside(open_spool: OpenSpool, tmp_path: Path) -> None:
    """The file is kept for an operator and does not block the others."""
    spool = open_spool()
    for number in range(3):
        spool.add(sealed(number))
    sorted(tmp_path.rglob("*.batch"))[1].write_bytes(b"\xc1 garbage")

    assert ids(spool) == ["id-0", "id-2"]
    assert len(list(tmp_path.rglob("*.bad"))) == 1


def test_a_folder_that_cannot_be_made_is_the_callers_to_survive(open_spool: OpenSpool, tmp_path: Path) -> None:
    """The error is an OSError."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OSError, match="Not a directory"):
        open_spool(root=tmp_path / "file").add(sealed(1))


def test_a_full_disk_keeps_no_half_written_file(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Each attempt left one, which filled the disk further. The batch is spooled when there is room again."""
    spool = open_spool()
    spool.add(sealed(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        for _ in range(3):
            with pytest.raises(OSError, match="too large"):
                spool.add(sealed(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [path.suffix for path in (tmp_path / "boot").iterdir() if path.name != "lock"] == [".batch"]
    spool.add(sealed(2))
    assert ids(spool) == ["id-1", "id-2"]


def test_a_deleted_file_blocks_no_other_and_is_counted(open_spool: OpenSpool, tmp_path: Path) -> None:
    """A file without a batch is counted, too. The bytes of both are free again."""
    spool = open_spool()
    for number in range(4):
        spool.add(sealed(number))
    files = sorted(tmp_path.rglob("*.batch"))
    files[1].unlink()
    files[2].write_bytes(b"\xc1 garbage")

    assert ids(spool) == ["id-0", "id-3"]
    assert spool.lost == 4
    assert len(spool) == 4


def test_a_deleted_folder_is_created_again(open_spool: OpenSpool, tmp_path: Path) -> None:
    """It is locked again, so that no other process adopts it."""
    spool = open_spool()
    spool.add(sealed(1))
    shutil.rmtree(tmp_path / "boot")
    spool.add(sealed(2))

    assert open_spool("heir").adopt() == 0
    assert ids(spool) == ["id-2"]
    assert spool.lost == 2
