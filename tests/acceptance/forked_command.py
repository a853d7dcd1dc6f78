"""Runs a command line in a process forked from one that has loaded all commands.

Loading them takes a second of CPU, which is most of what a command costs. Only the fork server of
`tests/acceptance/command.py` imports this module.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from alertworker.cli import COMMANDS, main

for _target, _ in COMMANDS.values():
    importlib.import_module(_target.partition(":")[0])


def run(folder: Path, arguments: Sequence[str], environ: Mapping[str, str], streams: Sequence[Path]) -> None:
    """Run a command in a folder, with files as its standard streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["alertworker", *arguments]
    for number, path in enumerate(streams):
        file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - they live as long as the process
        for number, mode in enumerate("rww")
    )
    main()
