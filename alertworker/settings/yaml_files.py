"""LiteLLM's config.yaml and the files that it includes, as one: merged by LiteLLM's rules, and never more than so many.

A key of the top level that an included file has takes the place of the one before, whole; only lists are added up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

_INCLUDE: Final = "include"
#: More files, or larger ones (bytes), are somebody's mistake.
_MAX_FILES: Final = 100
_MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a key of the top level, with its file, and the lines on which its own keys stand, from 1."""

    name: str
    value: Any
    path: Path
    lines: Mapping[str, int] = field(default_factory=dict)

    def where(self, key: object) -> str:
        """Say where one of its keys stands."""
        return f"{self.path.name}:{self.lines.get(str(key), 0)} {self.name}.{key}"


def read_sections(root: Path, problems: list[str]) -> dict[str, Section]:
    """Read a file and what it includes, by the names of the top level; note what is wrong, with the file's name.

    A file that is included twice, or includes itself, is read once, as LiteLLM does it.
    """
    found: dict[str, Section] = {}
    loaded: set[Path] = set()
    pending = [(Path(os.path.normpath(root.absolute())), "check ALERTWORKER_CONFIG")]
    while pending:
        path, remedy = pending.pop(0)
        if path in loaded:
            continue
        if len(loaded) == _MAX_FILES:
            problems.append(f"{root}: includes more than {_MAX_FILES} files; put some of them into one")
            break
        loaded.add(path)
        sections = _read(path, remedy, problems)
        entries = _includes(sections.pop(_INCLUDE, None), problems)
        pending += [(_resolve(entry, path, root), f"correct {_INCLUDE} in {path}") for entry in entries]
        found |= {name: _merged(found.get(name), section) for name, section in sections.items()}
    return found


def _read(path: Path, remedy: str, problems: list[str]) -> dict[str, Section]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            problems.append(f"{path}: has more than {_MAX_BYTES >> 20} MiB; {remedy}")
            return {}
        text = path.read_text()
        content = yaml.safe_load(text)
        lines = _lines(yaml.compose(text, Loader=yaml.SafeLoader))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); {remedy}")
    except UnicodeDecodeError:
        problems.append(f"{path}: is no text; {remedy}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problems.append(f"{where}: is not YAML: {getattr(error, 'problem', 'unreadable')}")
    else:
        if isinstance(content, dict):
            return {str(name): Section(str(name), value, path, lines.get(name, {})) for name, value in content.items()}
        if content is not None:
            problems.append(f"{path}: must be a mapping, not {type(content).__name__}")
    return {}


def _includes(section: Section | None, problems: list[str]) -> list[str]:
    if section is None:
        return []
    if isinstance(section.value, list) and all(isinstance(entry, str) for entry in section.value):
        return section.value
    problems.append(f"{section.path}: {_INCLUDE} must be a list of paths")
    return []


def _resolve(entry: str, declared_in: Path, root: Path) -> Path:
    """Give a file beside the one that names it, else one beside the root, as LiteLLM looks for them.

    What counts is where a link stands, and not where it leads.
    """
    beside, beside_root = (Path(os.path.normpath(file.absolute().parent / entry)) for file in (declared_in, root))
    return beside_root if beside_root.exists() and not beside.exists() else beside


def _merged(before: Section | None, after: Section) -> Section:
    if before is None or not isinstance(before.value, list) or not isinstance(after.value, list):
        return after
    return Section(after.name, [*before.value, *after.value], after.path)


def _lines(node: Any) -> dict[Any, dict[str, int]]:
    """Map each section to the lines on which its keys stand."""
    found: dict[Any, dict[str, int]] = {}
    for section, body in node.value if isinstance(node, yaml.MappingNode) else []:
        entries = body.value if isinstance(body, yaml.MappingNode) else []
        found[str(section.value)] = {str(key.value): key.start_mark.line + 1 for key, _ in entries}
    return found
