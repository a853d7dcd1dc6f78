"""A bounded YAML loader: no file nests deep, contains itself or grows by its aliases, and each error has its line.

PyYAML calls itself for each level, and constructs a merge (``<<``) of merges as often as it is written out.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from typing_extensions import override
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

#: The deepest value, and the most values of a file. A value counts at each place where an alias repeats it.
_MAX_DEPTH: Final = 50
_MAX_VALUES: Final = 1_000_000
#: The errors of PyYAML for a value that its type does not have: a 13th month, a number of 5,000 digits, ``!!int x``.
_INVALID: Final = (ValueError, LookupError, AttributeError, OverflowError)


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader with limits. A file over a limit is an error that names the line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        #: How many values each anchor stands for, once it is complete.
        self._sizes: dict[str | None, int] = {}

    @override
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._count(self._sizes.get(event.anchor, 0) if isinstance(event, yaml.AliasEvent) else 1, event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._sizes:
                raise _refused(f"*{event.anchor} is a part of itself; remove one of the two", event)
            return super().compose_node(parent, index)
        before = self._values
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _refused(f"nested more than {_MAX_DEPTH} deep; remove levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = self._values - before + 1
        return node

    @override
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _INVALID:
            problem = f"not a valid value of its type, {node.tag.rpartition(':')[2]}; put text in quotes"
            raise ConstructorError(None, None, problem, node.start_mark) from None

    def _count(self, values: int, event: yaml.Event) -> None:
        self._values += values
        if self._values > _MAX_VALUES:
            raise _refused(f"more than {_MAX_VALUES:,} values, aliases counted where they stand; remove aliases", event)


def _refused(problem: str, event: Any) -> ComposerError:
    return ComposerError(None, None, problem, event.start_mark)
