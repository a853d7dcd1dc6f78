"""A process that applies the batches in a folder, in an order of its own: ``python -m … URL FOLDER SEED``."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from alertworker.alerts import AlertType
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.routing import Route, Router
from alertworker.store import SqlStore, make_engine
from tests.integration.line import Recorder


def main(url: str, folder: Path, seed: str) -> None:
    """Apply every batch; say so when the first one is about to be."""
    router = Router(Route(receiver="none"), {"none": ()}, frozenset(AlertType), group_interval=10.0, repeat_interval=60)
    runtime = Runtime(store=SqlStore(make_engine(url)), line=Recorder(), channels={}, router=router)
    paths = sorted(folder.glob("*.zst"))
    random.Random(seed).shuffle(paths)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for path in paths:
        ingest(BatchMessage(path.stem, path.read_bytes(), "zstd", "test"), runtime, now=datetime.now(UTC))
    runtime.store.engine.dispose()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
