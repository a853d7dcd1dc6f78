"""The top-level keys of the file that are ignored because they are misspelt or misplaced."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from alertworker.settings.file_config import FileConfig, LiteLLMConfig
from alertworker.settings.yaml_files import YamlSection

#: The sections that we read.
_READ: Final = ("alertworker", "environment_variables", "general_settings", "litellm_settings")
#: LiteLLM's other sections. Some have names of our own keys, or similar ones.
_LITELLMS: Final = frozenset(
    {
        "agent_list", "agents", "assistant_settings", "callback_settings", "credential_list", "default_vertex_config",
        "files_settings", "finetune_settings", "guardrails", "include", "mcp_servers", "mcp_tools", "model_list",
        "pass_through_endpoints", "plugins", "policies", "policy_attachments", "prompts", "router_settings",
        "sandbox_tools", "search_tools", "vector_store_registry", "worker_registry",
    }
)  # fmt: skip
#: LiteLLM's sections into which people write the keys for alerting by mistake.
_WITHOUT_ALERTING: Final = frozenset({"litellm_settings", "router_settings"})


def misplaced(sections: Iterable[YamlSection]) -> Iterator[str]:
    """Yield a warning for each top-level key that was probably meant for us, and is not read."""
    for section in sections:
        name = section.name
        yield from _in_another(section)
        if name in _READ or name in _LITELLMS:
            continue
        if name in LiteLLMConfig.model_fields:
            yield f"{section.where()}: this key is not read here; it belongs under general_settings: or alertworker:"
        elif name in FileConfig.model_fields:
            yield f"{section.where()}: this key is not read here; it belongs under alertworker:"
        elif (meant := _meant(name)) in _READ:
            yield f"{section.where()}: this key is not read; did you mean {meant}?"


def _in_another(section: YamlSection) -> Iterator[str]:
    """Yield a warning for each key for alerting in a section of LiteLLM's that has none."""
    if section.name in _WITHOUT_ALERTING and isinstance(section.value, dict):
        for key in map(str, section.value):
            if key in LiteLLMConfig.model_fields:
                yield f"{section.where(key)}: this key is not read here; it belongs under general_settings:"


def _meant(name: str) -> str:
    """Return the section that a name resembles most, if it resembles one."""
    return next(iter(difflib.get_close_matches(name.lower(), (*_READ, *_LITELLMS), n=1, cutoff=0.8)), "")
