"""A cut string has a mark, is never cut within a character, and as an id stays distinct."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from alertworker.text.shorten import CUT, ELLIPSIS, shorten, shorten_id

#: Letters of several characters, and what stands beside them.
LETTERS = [
    "a",
    "é",
    "e\u0301",
    "👩\u200d🚀",
    "🇩🇪",
    "👍🏽",
    "❤\ufe0f",
    "한",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\r\n",
]


@given(
    st.lists(st.sampled_from(LETTERS), max_size=60).map("".join), st.integers(20, 60), st.sampled_from([CUT, ELLIPSIS])
)
def test_a_text_is_cut_visibly_between_letters(text: str, limit: int, mark: str) -> None:
    """Within the limit, mark included; and not at all where it is short enough."""
    cut = shorten(text, limit, mark)

    assert len(cut) <= limit
    if len(text) <= limit:
        assert cut == text
        return
    assert cut.endswith(mark)
    kept = cut.removesuffix(mark)
    assert text.startswith(kept)
    ends = {0}
    for letter in iter_graphemes(text):
        ends.add(max(ends) + len(letter))
    assert len(kept) in ends


@given(st.text(max_size=80), st.text(max_size=80), st.integers(20, 60))
def test_ids_that_were_cut_stay_distinct(one: str, other: str, limit: int) -> None:
    """A hash of the whole stands for what was cut off."""
    assert len(shorten_id(one, limit)) <= limit
    assert shorten_id(shorten_id(one, limit), limit) == shorten_id(one, limit)
    long_one, long_other = f"{'x' * limit}{one}", f"{'x' * limit}{other}"
    assert (shorten_id(long_one, limit) == shorten_id(long_other, limit)) is (one == other)


#: The bounds that strings have. A slice up to one of them cuts a string without a mark.
BOUNDS = ("MAX_NAME", "MAX_TEXT", "MAX_URL", "MAX_DETAILS", "MAX_PART", "MAX_LINE", "MAX_NOTE", "MAX_EXCERPT", "length")
#: Longer slices than of so many are no prefixes that are compared.
LONGEST_PREFIX = 16
#: Slices that are not shown, or whose result is never cut.
HARMLESS = {
    "alertworker/integrations/litellm/admin_alerts.py": ["tuple(sorted(given))[:64]"],  # a list of names
    "alertworker/publisher/https.py": ["answer.decode(errors='replace')[:200]"],  # a server's words, in a log line
    "alertworker/publisher/publisher.py": ["socket.gethostname()[:256]"],  # a host's name has at most 255 characters
    "alertworker/text/secret_formats.py": ["text[:200]"],  # what is counted in it is compared with 4
    "alertworker/web/request_body.py": ["announced[:20]"],  # digits of a length, which is over any limit by then
    "alertworker/worker/redis_scripts.py": ["entry[:65536]"],  # a part of a digest's input
    "alertworker/web/addresses.py": ["parsed.exploded[:19]"],  # the network of an IPv6 address
}


def slices(path: Path) -> list[str]:
    """Return the slices of a file that cut a string at a bound."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.lower is None:
            upper = node.slice.upper
            named = {part.id for part in ast.walk(upper) if isinstance(part, ast.Name)} if upper else set()
            named |= {part.attr for part in ast.walk(upper) if isinstance(part, ast.Attribute)} if upper else set()
            if named & set(BOUNDS) or (isinstance(upper, ast.Constant) and float(str(upper.value)) > LONGEST_PREFIX):
                found.append(ast.unparse(node))
    return found


def test_no_string_is_cut_by_a_slice() -> None:
    """Use `shorten`, `shorten_id`, `within` or `sanitize.cut`; or explain in `HARMLESS` why no mark is needed."""
    root = Path(__file__).parents[3]
    found = {str(path.relative_to(root)): slices(path) for path in sorted((root / "alertworker").rglob("*.py"))}

    for path, cuts in found.items():
        assert set(cuts) <= set(HARMLESS.get(path, [])), path


@pytest.mark.parametrize("code", ["text[:MAX_NAME]", "text[: NAME.length]", "text[: MAX_TEXT - 1]", "text[:500]"])
def test_the_search_for_slices_finds_them(code: str, tmp_path: Path) -> None:
    """In whatever form such cuts were once written."""
    path = tmp_path / "code.py"
    path.write_text(f"shown = {code}\n")
    assert len(slices(path)) == 1
