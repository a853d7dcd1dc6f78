"""The base class of events, and the bounds of their fields. No logic, no IO."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast
from uuid import UUID

import uuid6
from pydantic import (
    AfterValidator,
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

from alertworker.money import NANOS_PER_DOLLAR
from alertworker.text.ids import storable
from alertworker.text.shorten import shorten_id

SCHEMA_VERSION: Final = 1

#: The maximum number of events in one batch or HTTP request: 10 times the maximum of our publisher.
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
#: The largest limit or spend of a budget, in nano-dollars: $1,000,000,000. Such figures are stored and never summed.
MAX_NANOS: Final = 1_000_000_000 * NANOS_PER_DOLLAR
#: The maximum cost of one call, in nano-dollars: $100,000. An SQL bigint can sum 92,000 of these.
MAX_COST: Final = 100_000 * NANOS_PER_DOLLAR
#: Times are in this century. Others are a producer's mistake, and near the years 1 and 9999 a conversion to another
#: time zone fails.
MIN_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_MOMENT: Final = datetime(2100, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """Return a new UUIDv7, which sorts by its creation time."""
    return UUID(int=uuid6.uuid7().int)


def _storable(value: object) -> object:
    return storable(value) if isinstance(value, str) else value


def _within(size: int) -> AfterValidator:
    """Return a validator that shortens a name to ``size`` bytes of UTF-8. A hash keeps shortened names distinct."""

    def shortened(name: str) -> str:
        if name.isascii() or len(name.encode()) <= size:
            return name
        return shorten_id(name, size // 4)  # a character has 4 bytes at most

    return AfterValidator(shortened)


def _few(value: object) -> object:
    """Refuse a mapping that is too large, before pydantic checks each pair and collects an error for each bad one."""
    if isinstance(value, dict) and len(value) > MAX_ITEMS:
        raise PydanticCustomError("too_long", "Dictionary should have at most {most} items", {"most": MAX_ITEMS})
    return value


def _storable_pairs(value: object) -> object:
    """Check a mapping's size, and replace what cannot be stored in its strings.

    Both are one validator, because each call from pydantic into Python costs time, and an event has three mappings.
    """
    if not value or not isinstance(value, dict):
        return value
    return {_storable(label): _storable(text) for label, text in cast("dict[object, object]", _few(value)).items()}


#: For names and addresses, which identify something. A name that cannot be stored is refused: a replacement could make
#: two of them equal. pydantic checks a pattern without a call into Python, and refuses lone surrogates by itself.
_NO_NUL: Final = r"^[^\x00]*$"
#: For texts and metadata, which people read: characters that cannot be stored are replaced.
Storable: Final = BeforeValidator(_storable)
#: For lists: validation stops at the first invalid item, so that a list of a million makes one error.
FIRST_FAULT: Final = FailFast()
#: For mappings: the size is checked before the pairs, for the same reason.
FEW: Final = BeforeValidator(_few)
#: For mappings of `Label` to `LabelText`.
PAIRS: Final = BeforeValidator(_storable_pairs)

Name = Annotated[str, StringConstraints(max_length=MAX_NAME, pattern=_NO_NUL)]
#: The id of a deployment, and the name of its provider or region. PostgreSQL refuses a key of more than 2,704 bytes.
#: The keys of windows consist of these and one or two names (`alertworker/store/schema/outages.py`).
DeploymentId = Annotated[Name, _within(512)]
PlaceName = Annotated[Name, _within(256)]
Label = Annotated[str, StringConstraints(max_length=MAX_NAME)]
LabelText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), Storable]
Url = Annotated[str, StringConstraints(max_length=MAX_URL, pattern=_NO_NUL)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Nanos = Annotated[int, Field(ge=-MAX_NANOS, le=MAX_NANOS)]
#: The cost of a call. It is never negative: otherwise a client could lower the recorded spend of others.
Cost = Annotated[int, Field(ge=0, le=MAX_COST)]
#: A time in this century with its offset. A naive one is refused. The pattern is there because pydantic leaves the
#: bounds out of the schema.
Moment = Annotated[AwareDatetime, Field(ge=MIN_MOMENT, lt=MAX_MOMENT, json_schema_extra={"pattern": "^20"})]
Tags = Annotated[tuple[Name, ...], FIRST_FAULT, Field(max_length=MAX_ITEMS)]
#: For the schema of a mapping whose keys are names: pydantic's schema allows any value under an invalid key.
NAMED: Final[dict[str, JsonValue]] = {"additionalProperties": False}
Metadata = Annotated[dict[Label, LabelText], Field(max_length=MAX_ITEMS), PAIRS]


def _needs_its_type(schema: dict[str, Any]) -> None:
    """Make ``type`` required in a schema. pydantic leaves it out, because the field has a default here."""
    if "type" in schema["properties"]:
        schema["required"] = ["type", *schema.get("required", ())]


class Event(BaseModel):
    """A fact that a producer published, named in the past tense.

    ``event_id`` is a UUIDv7. ``occurred_at`` is the time of the fact with its offset. Windows and days use it.
    ``schema_version`` is the version of this contract. Fields of a newer producer are ignored. Errors never repeat the
    input, because it may hold a secret.
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
