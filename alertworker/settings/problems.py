"""Errors of the file in plain English: the path of the value, what is wrong, the expected form and the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from alertworker.channels import CONFIGS

#: Keys and indexes that lead to a value of the file.
KeyPath = tuple[str | int, ...]

#: The requirement on a value, by pydantic's error type.
_TYPES: Final = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "a string",
    "tuple_type": "a list",
}
#: The defect of a value, by pydantic's error type.
_TEXTS: Final = {
    "bool_parsing": "must be true or false",
    "float_parsing": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_pattern_mismatch": "the value has the wrong form",
}
_SUBJECT: Final = re.compile(r"^(Input|String|Tuple|List|Dictionary|Value) (should|is) ")


#: Errors about a value that is not a number, and about a number that is too small or too large.
_NUMBERS: Final = frozenset({"float_type", "float_parsing"})
_BOUNDS: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


@dataclass(frozen=True, slots=True)
class NumberUnit:
    """The unit of a number in the file, and an example. It marks a field."""

    name: str
    example: str


def key_error(key: str, problem: str) -> PydanticCustomError:
    """Return an error about one key of a mapping, for a validator of the whole mapping."""
    return PydanticCustomError("key_problem", "{problem}", {"key": key, "problem": problem})


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a suggestion of the known name that was probably meant, else of all of them."""
    names = sorted(known)
    if not names:
        return "; none are configured"
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; expected one of {', '.join(names)}"


def read_errors(error: ValidationError, model: type[BaseModel], values: Mapping[str, object]) -> dict[KeyPath, str]:
    """Return what is wrong, by the path of the value in ``values``; no text repeats a value that may be a secret.

    A value of several possible types has one error for each type. The first error is kept.
    """
    found: dict[KeyPath, str] = {}
    for one in error.errors(include_url=False):
        found.setdefault(_path(one, values), _text(one, model))
    return found


def _path(error: ErrorDetails, values: object) -> KeyPath:
    """Return the path without pydantic's own parts, such as the kind of a channel."""
    path: list[str | int] = []
    for part in error["loc"]:
        items = dict(enumerate(values)) if isinstance(values, list) else values
        if isinstance(items, Mapping) and part in items:
            path.append(part)
            values = items[part]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    elif error["type"] == "key_problem":
        path.append(str(error["ctx"]["key"]))
    return tuple(path)


def _text(error: ErrorDetails, model: type[BaseModel]) -> str:
    error_type = error["type"]
    models, field = _place([model], error["loc"])
    if error_type == "extra_forbidden":
        return f"unknown key{nearest(str(error['loc'][-1]), (name for one in models for name in _names(one)))}"
    if error_type == "missing":
        return f"this key is required. {field.description if field is not None else ''}".strip()
    if error_type == "value_error":
        return error["msg"].removeprefix("Value error, ")
    unit = _unit(field)
    if unit is not None and error_type in _NUMBERS:
        return f"must be a number of {unit.name}, for example {unit.example}"
    if error_type in _TYPES:
        found = "empty" if error["input"] is None else type(error["input"]).__name__
        text = f"must be {_TYPES[error_type]}, not {found}"
    else:
        text = _TEXTS.get(error_type) or _SUBJECT.sub("must ", error["msg"]).replace(" after validation", "")
        text += f" {unit.name}" if unit is not None and error_type in _BOUNDS else ""
    return f"{text}; expected, for example, {field.examples[0]}" if field is not None and field.examples else text


def _unit(field: FieldInfo | None) -> NumberUnit | None:
    """Return the unit of a field, also of a field that can be ``None``."""
    if field is None:
        return None
    parts = [
        *field.metadata,
        *(one for part in get_args(field.annotation) for one in getattr(part, "__metadata__", ())),
    ]
    return next((part for part in parts if isinstance(part, NumberUnit)), None)


def _place(models: list[type[BaseModel]], path: KeyPath) -> tuple[list[type[BaseModel]], FieldInfo | None]:
    """Follow a path through the models; return those that read its last mapping, and its last field."""
    field: FieldInfo | None = None
    for part in map(str, path):
        if (channel := CONFIGS.get(part)) in models and channel is not None:
            models = [channel]
        elif (known := next((_names(one)[part] for one in models if part in _names(one)), None)) is not None:
            models, field = list(_models_in(known.annotation)) or models, known
    return models, field


def _names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the names that the file has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that a field holds, by themselves, in a list, in a mapping or as alternatives."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
