"""What every event has, and the bounds of its fields. No logic, no IO."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast
from uuid import UUID

import uuid6
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from alertworker.text.ids import storable

SCHEMA_VERSION: Final = 1

#: How many events one batch, or one HTTP request, may bring: ten times what our publisher seals into one.
MAX_EVENTS: Final = 5_000

#: The longest identifier or name (ids, aliases, model names), in characters.
MAX_NAME: Final = 256
#: The longest text (error messages), in characters.
MAX_TEXT: Final = 2_000
#: The longest address (api base), in characters.
MAX_URL: Final = 500
#: How many tags or pieces of metadata one event may carry.
MAX_ITEMS: Final = 32
#: The largest count (tokens, attempts); larger numbers are a producer's mistake, and SQL integers are finite.
MAX_COUNT: Final = 1_000_000_000
#: The longest duration or age, in seconds: 30 days.
MAX_SECONDS: Final = 30 * 86_400.0
#: The largest budget or spend of one, in nano-dollars: a billion dollars. Such figures are kept and never added up.
MAX_NANOS: Final = 1_000_000_000 * 1_000_000_000
#: The most that one call may cost, in nano-dollars: a hundred thousand dollars, of which an SQL bigint sums 92,000.
MAX_COST: Final = 100_000 * 1_000_000_000
#: Moments are in this century: others are a producer's mistake, and the first and last years have no neighbours into
#: which a time zone could take them.
MIN_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_MOMENT: Final = datetime(2100, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """Return a new UUIDv7: unique, and sorted by the time it was made."""
    return UUID(int=uuid6.uuid7().int)


def _storable(value: object) -> object:
    return storable(value) if isinstance(value, str) else value


def _few(value: object) -> object:
    """Refuse a mapping that is too large before each of its pairs is looked at, and each bad one remembered."""
    if isinstance(value, dict) and len(value) > MAX_ITEMS:
        raise PydanticCustomError("too_long", "Dictionary should have at most {most} items", {"most": MAX_ITEMS})
    return value


def _storable_pairs(value: object) -> object:
    """Check a mapping's size, and replace in its strings.

    Each call has three such mappings, most of them empty, and each call from pydantic into Python costs: so it is one.
    """
    if not value or not isinstance(value, dict):
        return value
    return {_storable(label): _storable(text) for label, text in cast("dict[object, object]", _few(value)).items()}


#: For names and addresses, which identify: one that cannot be stored is refused, since a replacement could make two of
#: them one. A pattern, since pydantic checks it without a call into Python; lone surrogates it refuses by itself.
_NO_NUL: Final = r"^[^\x00]*$"
#: For texts and the labels of metadata, which people read: what cannot be stored is replaced.
Storable: Final = BeforeValidator(_storable)
#: For lists: their first bad item refuses them. A list of a million bad ones must not make a million errors.
FIRST_FAULT: Final = FailFast()
#: For mappings: the same.
FEW: Final = BeforeValidator(_few)
#: For mappings of `Label` to `LabelText`.
PAIRS: Final = BeforeValidator(_storable_pairs)

Name = Annotated[str, StringConstraints(max_length=MAX_NAME, pattern=_NO_NUL)]
Label = Annotated[str, StringConstraints(max_length=MAX_NAME)]
LabelText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), Storable]
Url = Annotated[str, StringConstraints(max_length=MAX_URL, pattern=_NO_NUL)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Nanos = Annotated[int, Field(ge=-MAX_NANOS, le=MAX_NANOS)]
#: What a call cost: never less than nothing, or a caller could spend for others what it takes back.
Cost = Annotated[int, Field(ge=0, le=MAX_COST)]
#: A moment of this century with its offset; a naive one is refused. Pydantic leaves its bounds out of the schema.
Moment = Annotated[AwareDatetime, Field(ge=MIN_MOMENT, lt=MAX_MOMENT, json_schema_extra={"pattern": "^20"})]
Tags = Annotated[tuple[Name, ...], FIRST_FAULT, Field(max_length=MAX_ITEMS)]
#: For the schema of a mapping whose keys are names: pydantic lets it hold any value under a key that is none.
NAMED: Final[dict[str, JsonValue]] = {"additionalProperties": False}
Metadata = Annotated[dict[Label, LabelText], Field(max_length=MAX_ITEMS), PAIRS]


def _needs_its_type(schema: dict[str, Any]) -> None:
    """Add to a schema what pydantic leaves out: without its type, which has a default here, no event can be told."""
    if "type" in schema["properties"]:
        schema["required"] = ["type", *schema.get("required", ())]


class Event(BaseModel):
    """A fact a producer published, in the past tense.

    ``event_id`` is a UUIDv7, ``occurred_at`` when it happened (aware; windows and days are cut by it), and
    ``schema_version`` the version of this contract. Fields a newer producer adds are ignored; errors never repeat the
    input, since it may hold a secret.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        ser_json_inf_nan="null",
        json_schema_extra=_needs_its_type,
    )

    event_id: UUID = Field(default_factory=new_id)
    occurred_at: Moment = Field(default_factory=lambda: datetime.now(UTC))
    schema_version: Annotated[int, Field(ge=1, le=1_000)] = SCHEMA_VERSION
