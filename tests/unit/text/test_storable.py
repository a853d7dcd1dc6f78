"""Every string of every event can be stored on PostgreSQL and SQLite: an id that cannot is refused, a text replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alertworker.events import EVENT, EVENTS
from alertworker.text.ids import storable

SCHEMA = EVENTS.json_schema()
TYPES: dict[str, str] = SCHEMA["items"]["discriminator"]["mapping"]
MOMENT = "2026-11-24T12:00:00Z"
#: Where a text stands, and how to make an event with it.
Place = tuple[tuple[str, ...], Callable[[str], Any]]
#: Identifying values, by the name of their field: two of them must never become one.
IDENTIFYING = ("_id", "_hash", "model", "model_group", "tags", "provider", "region", "deployment_id", "alias")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and leave out that a field may be null."""
    if "$ref" in schema:
        return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return resolved(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    return schema


def example(schema: dict[str, Any]) -> Any:
    """Make the least that a schema takes."""
    schema = resolved(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema["type"]:
        case "object":
            required = schema.get("required", ())
            return {name: example(inner) for name, inner in schema.get("properties", {}).items() if name in required}
        case "string":
            return MOMENT if schema.get("format") == "date-time" else "x"
        case "array":
            return []
        case _:
            return schema.get("minimum", 1)


def strings(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Place]:
    """Return each place of free text."""
    schema = resolved(schema)
    is_digest = "[0-9a-f]" in schema.get("pattern", "")  # refused whatever else it holds
    if schema.get("type") == "string" and not is_digest and not {"const", "enum", "format"} & schema.keys():
        yield path, lambda text: text
    elif schema.get("type") == "array":
        for place, fill in strings(schema["items"], path):
            yield place, lambda text, fill=fill: [fill(text)]  # type: ignore[misc]
    elif "properties" in schema:
        whole = example(schema)
        for name, inner in schema["properties"].items():
            for place, fill in strings(inner, (*path, name)):
                yield place, lambda text, fill=fill, name=name: whole | {name: fill(text)}  # type: ignore[misc]
    elif schema.get("type") == "object":
        yield from pairs(schema, path)


def pairs(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[Place]:
    """Return the places of a mapping: its keys, and those of its values."""
    inner = schema.get("additionalProperties") or next(iter(schema["patternProperties"].values()))
    value = example(inner)
    yield (*path, "(key)"), lambda text: {text: value}
    for place, fill in strings(inner, (*path, "(value)")):
        yield place, lambda text, fill=fill: {"k": fill(text)}  # type: ignore[misc]


PLACES = [(f"{kind}.{'.'.join(place)}", fill) for kind, ref in TYPES.items() for place, fill in strings({"$ref": ref})]


@pytest.mark.parametrize(("place", "fill"), PLACES, ids=[place for place, _ in PLACES])
def test_no_string_keeps_a_character_that_cannot_be_stored(place: str, fill: Any) -> None:
    """NUL in JSON, and NUL and half a surrogate pair in Python's objects."""
    EVENT.validate_json(json.dumps(fill("fine")))
    for text, event in (
        ("a\0b", EVENT.validate_json),
        ("a\0b", EVENT.validate_python),
        ("a\ud800b", EVENT.validate_python),
        ("a\udfff", EVENT.validate_python),
    ):
        try:
            read = event(json.dumps(fill(text))) if event == EVENT.validate_json else event(fill(text))
        except ValueError:
            continue
        assert not place.rpartition(".")[2].endswith(IDENTIFYING), "an id was changed, and may be another's now"
        dumped = read.model_dump_json()
        assert "\\u0000" not in dumped
        assert "\ufffd" in dumped


def test_places_of_every_kind_were_found() -> None:
    """The test above would hold of nothing at all, too."""
    names = {place.rpartition(".")[2] for place, _ in PLACES}

    assert {"team_id", "tags", "message", "(key)", "(value)", "text", "alert_emails", "entity_id"} <= names
    assert len(PLACES) > 150


def test_pairs_of_surrogates_are_one_character() -> None:
    """UTF-16 has them. Only lone halves are replaced."""
    assert storable("no\0 end \ud83d\ude00 \ud800 é") == "no\ufffd end 😀 \ufffd é"
    assert storable("plain\0") == "plain\ufffd"
