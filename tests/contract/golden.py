"""Golden bodies: what every channel says in every case, in files that a person can read and review.

There is one file for each kind, ``golden/<kind>.txt``, with a section for each case. A kind may have files of its own
in ``golden/<kind>/`` instead, see `tests/contract/vendors/`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.contract.kinds import KINDS, cases_of, channel_of, problem_of, vendor_of

FOLDER: Final = Path(__file__).parent / "golden"
UPDATE: Final = ".venv/bin/pytest tests/contract/test_golden.py --golden-update"


def files_of(kind: str) -> dict[Path, str]:
    """Return the files of a kind, with their content."""
    bodies = {case: channel_of(kind).render(made) for case, made in cases_of(kind).items()}
    split = getattr(vendor_of(kind), "golden", None)
    if split is None:
        text = "\n".join(f"=== {case} ===\n{_readable(body)}" for case, body in bodies.items())
        return {FOLDER / f"{kind}.txt": text}
    return {
        (FOLDER / kind / case).with_suffix(suffix): content
        for case, body in bodies.items()
        for suffix, content in split(body).items()
    }


def _readable(body: str) -> str:
    """Return a JSON body with one value on each line, and any other body as it is."""
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False) + "\n"
    except ValueError:
        return body


def present() -> set[Path]:
    """Return the golden files that exist."""
    return {path for path in FOLDER.glob("**/*") if path.is_file()}


def read(path: Path) -> str:
    """Return the content of a file, with its line ends as they are; "" if there is no file."""
    return path.read_bytes().decode() if path.is_file() else ""


def difference(path: Path, new: str) -> str:
    """Return the changes from a file to its new content."""
    name = str(path.relative_to(FOLDER))
    return "\n".join(difflib.unified_diff(read(path).splitlines(), new.splitlines(), name, name, lineterm=""))


def renew() -> str:
    """Write the files of all kinds, remove others, and return the changes."""
    wanted: Mapping[Path, str] = {
        path: text for kind in KINDS if problem_of(kind) is None for path, text in files_of(kind).items()
    }
    report: list[str] = []
    for path in sorted(present() | wanted.keys()):
        if read(path) == wanted.get(path) and path.is_file():
            continue
        report.append(difference(path, wanted.get(path, "")))
        if path not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[path].encode())
    return "\n".join(report)
