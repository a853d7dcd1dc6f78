"""zstd is read within bounds: bytes, frames and memory; whole frames only."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events.compression import MAX_FRAMES, CompressionError, OversizeError, compress, decompress

MIB = 1024 * 1024
EMPTY = zstandard.compress(b"")
SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<I", 0)
#: The head of a frame without the length of its content, and a block that makes 128 KiB of four bytes.
HEAD = b"\x28\xb5\x2f\xfd\x00\x58"
REPEATED = ((128 * 1024 << 3) | 2).to_bytes(3, "little") + b" "
NO_OUTPUT = b"\x00\x00\x00"
LAST = b"\x01\x00\x00"


def streamed(content: bytes) -> bytes:
    """Compress as a client does that does not know the size at the beginning."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(content)


@given(st.lists(st.binary(max_size=3_000), min_size=1, max_size=4), st.booleans())
def test_all_frames_are_read(parts: list[bytes], sized: bool) -> None:
    """There may be several, with or without their size. Skippable frames have no content."""
    frames = [(compress if sized else streamed)(part) for part in parts]

    assert decompress(b"".join(frames), MIB) == b"".join(parts)
    assert decompress(SKIPPED + SKIPPED.join(frames) + SKIPPED, MIB) == b"".join(parts)


@given(st.binary(min_size=1, max_size=3_000), st.booleans(), st.data())
def test_a_frame_that_is_cut_short_or_too_long_is_refused(part: bytes, sized: bool, data: st.DataObject) -> None:
    """No part of it is read."""
    frame = (compress if sized else streamed)(part)
    cut = data.draw(st.integers(1, len(frame) - 1))
    for body in (frame[:-cut], frame + b"\n", frame + frame[:-cut]):
        with pytest.raises(CompressionError):
            decompress(body, MIB)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """With one error."""
    for content in (body, HEAD + body):
        try:
            decompress(content, MIB)
        except CompressionError:
            continue


@pytest.mark.parametrize(
    "body",
    [
        EMPTY * (MAX_FRAMES + 1),
        EMPTY * 500_000,
        SKIPPED * 500_000,
        compress(b" " * (MIB + 1)),
        streamed(b" " * (64 * MIB)),
        HEAD + REPEATED * 200_000,
        compress(b" " * (MIB // 2)) * 3,
        b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 7 + b"\x7f" + LAST,
    ],
    ids=["frames", "empty frames", "skippable frames", "sized", "streamed", "repeated", "together", "says 16 EiB"],
)
def test_a_bomb_is_given_up_at_its_bound(body: bytes) -> None:
    """Within a few megabytes, however much it would become."""
    tracemalloc.start()
    with pytest.raises(OversizeError):
        decompress(body, MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * MIB


def test_blocks_without_output_and_windows_cost_nothing() -> None:
    """A million empty blocks are read at once; a window larger than any batch is refused."""
    assert decompress(HEAD + NO_OUTPUT * 1_000_000 + LAST, MIB) == b""
    with pytest.raises(CompressionError):
        decompress(b"\x28\xb5\x2f\xfd\x00\xb0" + LAST, MIB)
