"""Names for people: what is shown of an id, and where."""

from __future__ import annotations

import pytest

from alertworker.text.names import deployment_title, model_and_region, short_id, shorten_hashes, with_id

HASH = "3f8a01c2" * 8
UUID = "3f8a01c2-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("identity", "shown"), [(HASH, "3f8a01c2…"), (UUID, "3f8a01c2…"), ("dep-3", "dep-3"), ("deadbeef", "deadbeef")]
)
def test_an_id_that_a_machine_made_is_shortened(identity: str, shown: str) -> None:
    assert short_id(identity) == shown


@pytest.mark.parametrize(
    ("identity", "title"),
    [
        ("dep-3", "openai/gpt-4o-mini in eastus (dep-3)"),
        (HASH, "openai/gpt-4o-mini in eastus"),
        (UUID, "openai/gpt-4o-mini in eastus"),
    ],
)
def test_a_headline_has_an_id_only_if_a_person_chose_it(identity: str, title: str) -> None:
    assert deployment_title(identity, "gpt-4o-mini", "openai", "eastus") == title


def test_a_deployment_without_a_model_has_its_id() -> None:
    assert deployment_title("dep-3", None, "openai", "eastus") == "dep-3"
    assert deployment_title(HASH, None, None, None) == "3f8a01c2…"


def test_the_provider_is_named_once() -> None:
    assert model_and_region("azure/gpt-4o", "azure", "eu") == "azure/gpt-4o in eu"
    assert model_and_region("gpt-4o", None, None) == "gpt-4o"


def test_an_id_stands_after_the_name() -> None:
    assert with_id("search", "team-1") == "search (team-1)"
    assert with_id("search", "search") == "search"
    assert with_id("search", "") == "search"
    assert with_id("", "") == ""


def test_hashes_within_a_text_are_shortened() -> None:
    """A longer run of digits is something else, such as the end of a signature."""
    assert shorten_hashes(f"Key {HASH}: 85 %") == "Key 3f8a01c2…: 85 %"
    assert shorten_hashes(f"a{HASH}") == f"a{HASH}"
