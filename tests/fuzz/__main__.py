"""``python -m tests.fuzz TARGET SECONDS``: has atheris look for what breaks a target; what it learns stays in .fuzz."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["alertworker"]):
    from tests.fuzz.seeds import SEEDS, WORDS
    from tests.fuzz.targets import TARGETS


def main(name: str, seconds: str) -> None:
    """Fuzz until the time is over or something breaks; that input is written to a file whose name is printed."""
    folder = Path(".fuzz") / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (folder / f"seed-{number}").write_bytes(seed)
    words = Path(".fuzz") / "words"
    spelled = ["".join(f"\\x{byte:02x}" for byte in word) for word in WORDS]
    words.write_text("".join(f'"{word}"\n' for word in spelled))
    files = [f"-dict={words}", f"-artifact_prefix={folder.parent}/"]
    limits = ["-timeout=10", "-max_len=65536", "-rss_limit_mb=2048", f"-max_total_time={seconds}"]
    atheris.enabled_hooks.add("RegEx")
    atheris.Setup([sys.argv[0], str(folder), *files, *limits, "-print_final_stats=1"], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
