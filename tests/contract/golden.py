"""Golden bodies: what every channel says in every case, in files that a person can read and review.

`pytest tests/contract/test_golden.py --golden-update` writes them anew and prints what changed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alertworker.alerts.message import Message
from tests.contract.cases import CASES
from tests.contract.kinds import CHANNELS, wants

_LARGE: Final = 20_000
FOLDER: Final = Path(__file__).parent / "golden"


def _files(kind: str, case: str, message: Message) -> Mapping[Path, str]:
    """Give the files that hold a body: JSON indented, a mail as its text (after its subject) and as its page."""
    body = CHANNELS[kind].render(message)
    path = FOLDER / kind / case
    if kind == "console":
        return {path.with_suffix(".txt"): body}
    read = json.loads(body)
    if kind == "email":
        text = f"Subject: {read['subject']}\n\n{read['text']}"
        found = {path.with_suffix(".txt"): text, path.with_suffix(".html"): read["html"]}
        # A person reviews no thousands of lines.
        tables = [file["content"] for file in read["files"] if len(file["content"]) < _LARGE]
        return found | {path.with_suffix(".csv"): content for content in tables}
    return {path.with_suffix(".json"): json.dumps(read, indent=1, ensure_ascii=False) + "\n"}


def files_of(kind: str) -> dict[Path, str]:
    """Give all that there must be of a kind: each case that it takes, with its content."""
    wanted = [(case, message) for case, message in CASES.items() if wants(kind, message)]
    return {path: content for case, message in wanted for path, content in _files(kind, case, message).items()}


def renew(wanted: Mapping[Path, str]) -> str:
    """Write what is wanted, remove what is not, and give the difference."""
    report: list[str] = []
    present = {path for path in FOLDER.glob("*/*") if path.is_file()}
    for path in sorted(present | wanted.keys()):
        old = path.read_bytes().decode() if path in present else ""
        new = wanted.get(path, "")
        if path in present and path in wanted and old == new:
            continue
        name = str(path.relative_to(FOLDER))
        report += difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="")
        if path not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(new.encode())
    return "\n".join(report)
