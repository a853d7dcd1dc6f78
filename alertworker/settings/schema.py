"""The JSON Schema of the file, for editors."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from alertworker.channels import CONFIGS
from alertworker.settings.file_config import FileConfig, LiteLLMConfig

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = {"type": "string", "pattern": "^os\\.environ/"}


class _General(LiteLLMConfig):
    """LiteLLM's section. Of its keys alertworker reads those for alerting."""

    model_config = ConfigDict(extra="allow")


class _File(BaseModel):
    """The configuration of alertworker: a file of its own, or LiteLLM's config.yaml."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    include: list[str] = []
    """Paths of further files. A section of a later file replaces that of an earlier one."""
    environment_variables: dict[str, Any] = {}
    """Variables that count if the environment does not set them."""
    general_settings: _General | None = None
    """LiteLLM's section. Of its keys alertworker reads those for alerting."""
    alertworker: FileConfig | None = None
    """Keys that LiteLLM does not have, and LiteLLM's keys for alertworker alone."""


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema of alertworker.yaml, and of LiteLLM's config.yaml with a section of ours."""
    schema = _File.model_json_schema()
    definitions = schema["$defs"]
    for config in CONFIGS.values():
        _relax(definitions[config.__name__])
    channels = definitions["ReceiverConfig"]["properties"]["channels"]
    channels["items"] = {"anyOf": channels["items"]["oneOf"]}  # a channel without a kind can be of several
    return {"$schema": _DIALECT, **schema, "title": "alertworker configuration"}


def _relax(channel: dict[str, Any]) -> None:
    """Let a channel have no name, and references where no string is expected."""
    channel["required"] = [name for name in channel.get("required", ()) if name != "name"]
    for name, field in channel["properties"].items():
        if name == "kind":
            field["description"] = "Kind of the channel. It is optional if the URL shows the vendor."
        elif field.get("type") != "string" or "enum" in field:
            described = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
            channel["properties"][name] = {**described, "anyOf": [field, _REFERENCE]}
