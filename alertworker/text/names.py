"""Names of deployments, keys and other things as people read them. An id is shown only where no name says enough."""

from __future__ import annotations

import re
from typing import Final

#: A hash (LiteLLM's ids of deployments and keys) or a UUID. Its first digits are enough for people.
_DIGITS: Final = re.compile(r"\A([0-9a-f]{8})[0-9a-f-]{24,}\Z")
#: A SHA-256 in hexadecimal within a string.
_HASH: Final = re.compile(r"(?<![0-9a-fA-F])([0-9a-f]{8})[0-9a-f]{56}(?![0-9a-fA-F])")


def short_id(identity: str) -> str:
    """Return an id for people: of a hash or a UUID its first 8 digits, like a commit id.

    >>> short_id("3f" * 32), short_id("dep-3")
    ('3f3f3f3f…', 'dep-3')
    """
    return _DIGITS.sub(r"\1…", identity)


def shorten_hashes(text: str) -> str:
    """Return a string in which every SHA-256 is shortened to 8 digits, which are enough to distinguish keys.

    >>> shorten_hashes("Key " + "3f" * 32)
    'Key 3f3f3f3f…'
    """
    return _HASH.sub(r"\1…", text)


def with_id(name: str, identity: str) -> str:
    """Return a name with its id, or the id alone if there is no other name.

    >>> with_id("search", "t1"), with_id("", "3f" * 32), with_id("t1", "t1")
    ('search (t1)', '3f3f3f3f…', 't1')
    """
    shown = short_id(identity)
    return f"{name} ({shown})" if name and identity and name != identity else name or shown


def model_and_region(model: str | None, provider: str | None, region: str | None) -> str:
    """Return what a deployment is: its provider and model, and its region.

    >>> model_and_region("gpt-4o-mini", "openai", "eastus"), model_and_region("azure/gpt-4o", "azure", None)
    ('openai/gpt-4o-mini in eastus', 'azure/gpt-4o')
    """
    shown = f"{provider}/{model}" if model and provider and not model.startswith(f"{provider}/") else model or ""
    return f"{shown} in {region}" if shown and region else shown


def deployment_with_id(identity: str, model: str | None, provider: str | None, region: str | None) -> str:
    """Return a deployment's name with its id, which distinguishes the deployments of one model and region.

    >>> deployment_with_id("3f" * 32, "gpt-4o-mini", "openai", "eastus")
    'openai/gpt-4o-mini in eastus (3f3f3f3f…)'
    """
    return with_id(model_and_region(model, provider, region), identity)


def deployment_title(identity: str, model: str | None, provider: str | None, region: str | None) -> str:
    """Return a deployment's name for a headline: a chosen id, but no hash.

    >>> deployment_title("dep-3", "gpt-4o-mini", "openai", "eastus")
    'openai/gpt-4o-mini in eastus (dep-3)'
    >>> deployment_title("3f" * 32, "gpt-4o-mini", "openai", "eastus")
    'openai/gpt-4o-mini in eastus'
    """
    name = model_and_region(model, provider, region)
    return name if name and short_id(identity) != identity else with_id(name, identity)
