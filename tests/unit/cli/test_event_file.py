"""A file of events is read within bounds, and one bad line stops nothing."""

from __future__ import annotations

from io import BytesIO

import pytest

from alertworker.cli import event_file
from alertworker.cli.event_file import read_events
from alertworker.errors import AlertWorkerError
from alertworker.events.batch import decode_items

CANARY = b'{"type":"system.canary"}'


def test_a_bad_line_is_one_refused_event() -> None:
    """However it is bad; a mark of the byte order, as Windows writes it, is none."""
    bad = [b"[" * 10_000, b'"\\ud800"', b"\xff", b"{", b"NaN", b"9" * 5_000]
    body = b"\xef\xbb\xbf" + b"\n".join(line for other in bad for line in (CANARY, other))
    decoded = decode_items(read_events(BytesIO(body)))

    assert len(decoded.events) == len(bad)
    assert [rejected.index for rejected in decoded.rejected] == [1, 3, 5, 7, 9, 11]


def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is read than may be; it may have more events than one batch."""
    assert len(read_events(BytesIO(b"\n".join([CANARY] * 20_000)))) == 20_000
    assert len(read_events(BytesIO(b"[" + b",".join([CANARY] * 20_000) + b"]"))) == 20_000
    for body in (b"\n" * 500_000, b"1\n" * 500_001, b"[" + b"1," * 500_001 + b"1]"):
        with pytest.raises(AlertWorkerError, match="more than 500000"):
            read_events(BytesIO(body))
    monkeypatch.setattr(event_file, "MAX_FILE_BYTES", 1_000)
    endless = BytesIO(b" " * 100_000)
    with pytest.raises(AlertWorkerError, match="split it"):
        read_events(endless)
    assert endless.tell() == 1_001
