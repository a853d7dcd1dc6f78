"""LiteLLM's config.yaml and the files that it includes, merged by LiteLLM's rules, with the line of every key.

A top-level key of an included file replaces the same key of the files before it. Only lists are concatenated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from alertworker.host.regular_files import FileError, read_text
from alertworker.settings.place import Place, Problem
from alertworker.settings.yaml_loader import BoundedLoader

_INCLUDE: Final = "include"
#: Bounds on the number of files, and on the size of each in bytes.
_MAX_FILES: Final = 100
_MAX_BYTES: Final = 16 * 1024 * 1024
_MERGE: Final = "tag:yaml.org,2002:merge"
#: PyYAML's errors about a plain text with characters that mean something in YAML.
_NEEDS_QUOTES: Final = ("mapping values are not allowed here", "got ':'")


@dataclass(frozen=True, slots=True)
class YamlSection:
    """The value of a top-level key, with the file and the line of the key, and the YAML nodes that know all lines."""

    name: str
    value: Any
    path: Path
    line: int = 0
    node: yaml.Node | None = None
    #: The number of files that were read before this one.
    rank: int = 0

    def where(self, *keys: str | int) -> Place:
        """Return where a nested value stands; if a key is missing there, the line is that of its mapping."""
        node, line = self.node, self.line
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
        return Place(f"{self.name}{path}", self.path, line, self.rank)


def read_sections(root: Path, problems: list[Problem], warnings: list[str]) -> dict[str, YamlSection]:
    """Read a file and the files it includes, by top-level key; append what is wrong, with the file's path.

    A file that is included twice, or includes itself, is read once, as in LiteLLM.
    """
    found: dict[str, YamlSection] = {}
    loaded: set[Path] = set()
    first = Path(os.path.normpath(root.absolute()))
    pending = [(first, "check --config or ALERTWORKER_CONFIG")]
    while pending:
        path, remedy = pending.pop(0)
        if path in loaded:
            continue
        if len(loaded) == _MAX_FILES:
            problems.append(Problem(f"includes more than {_MAX_FILES} files; merge some of them", Place(file=first)))
            break
        sections = _read(path, len(loaded), remedy, problems, warnings)
        loaded.add(path)
        include = sections.pop(_INCLUDE, None)
        pending += [(_resolve(entry, path, root), f"correct {where}") for entry, where in _includes(include, problems)]
        found |= {name: _merged(found.get(name), section) for name, section in sections.items()}
    return found


def _read(path: Path, rank: int, remedy: str, problems: list[Problem], warnings: list[str]) -> dict[str, YamlSection]:
    whole = Place(file=path, rank=rank)
    try:
        content, node, twice = _parse(read_text(path, limit=_MAX_BYTES))
    except FileError as error:
        problems.append(Problem(f"{error}; {remedy}", whole))
    except yaml.YAMLError as error:
        problems.append(_invalid(whole, error))
    else:
        warnings += [f"{replace(whole, line=line, key=key)}: {text}" for line, key, text in twice]
        if isinstance(content, dict):
            return {str(name): _section(str(name), value, path, rank, node) for name, value in content.items()}
        if content is not None:
            problems.append(Problem(f"the file must be a mapping, not {type(content).__name__}", whole))
    return {}


def _invalid(whole: Place, error: yaml.YAMLError) -> Problem:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "unreadable"
    line, column = (mark.line + 1, f" in column {mark.column + 1}") if mark else (0, "")
    remedy = "; put the text in quotes" if problem.endswith(_NEEDS_QUOTES) else ""
    return Problem(f"invalid YAML{column}: {problem}{remedy}", replace(whole, line=line))


def _parse(text: str) -> tuple[object, yaml.Node | None, list[tuple[int, str, str]]]:
    """Return a file's content, its nodes and its duplicate keys. In the nodes ``<<`` keys are merged."""
    loader = BoundedLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None, []
        twice = list(_duplicates(node))  # before ``<<`` keys are merged, which may be overridden
        return loader.construct_document(node), node, twice
    finally:
        loader.dispose()


def _duplicates(root: yaml.Node) -> Iterator[tuple[int, str, str]]:
    """Yield the line and the name of each key that its mapping has before, and what to do."""
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                    if key.value in lines:
                        yield line, key.value, f"this key replaces the same key of line {lines[key.value]}; keep one"
                    lines[key.value] = line
            pending += reversed([value for _, value in node.value])


def _section(name: str, value: object, path: Path, rank: int, root: yaml.Node | None) -> YamlSection:
    line, node = _child(root, name) or (0, None)
    return YamlSection(name, value, path, line, node, rank)


def _child(node: yaml.Node | None, key: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line of a key or an item, from 1, and the node of its value. Of equal keys the last one counts."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    if isinstance(node, yaml.MappingNode):
        for name, value in reversed(node.value):
            if name.value == str(key):
                return name.start_mark.line + 1, value
    return None


def _includes(section: YamlSection | None, problems: list[Problem]) -> list[tuple[str, Place]]:
    """Return each path with the place where it stands."""
    if section is None:
        return []
    if isinstance(section.value, list) and all(isinstance(entry, str) for entry in section.value):
        return [(entry, section.where(place)) for place, entry in enumerate(section.value)]
    problems.append(Problem("must be a list of paths; expected, for example, [alerting.yaml]", section.where()))
    return []


def _resolve(entry: str, declared_in: Path, root: Path) -> Path:
    """Return the path of a file beside the one that names it, else beside the root, as LiteLLM does.

    The location of a symbolic link counts, not its target.
    """
    beside, beside_root = (Path(os.path.normpath(file.absolute().parent / entry)) for file in (declared_in, root))
    return beside_root if beside_root.exists() and not beside.exists() else beside


def _merged(before: YamlSection | None, after: YamlSection) -> YamlSection:
    if before is None or not isinstance(before.value, list) or not isinstance(after.value, list):
        return after
    return replace(after, value=[*before.value, *after.value], node=None)
