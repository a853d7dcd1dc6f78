"""Finds the pieces of a prompt that an error's text repeats, also encoded ones, at a bounded cost."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from alertworker.text.decode import decodings
from alertworker.text.redact import REMOVED

#: A piece of the prompt of this weight or more does not appear in a text. A letter weighs 1, and a Chinese, Japanese or
#: Korean character `_HEAVY`: 12 letters are two words, and four such characters are as much.
MIN_PIECE: Final = 12
_HEAVY: Final = 3
#: A shorter string of the prompt does not appear either, if it has at least this weight.
MIN_WHOLE: Final = 4
#: The maximum length of a prompt that is compared, in characters. With a longer one the text is removed instead.
_MAX_PROMPT: Final = 2_000_000
#: The same for the prompt times the number of the text's forms.
_MAX_SCANNED: Final = 6_000_000
#: How many characters are compared before a text is removed: a prompt of one repeated letter must not block a proxy.
_MAX_COMPARED: Final = 60_000
#: The cost of the search for one short piece, in compared characters.
_SEARCH: Final = 4
REMOVED_MESSAGE: Final = "(message removed: it may contain the prompt)"
#: Every piece of `MIN_PIECE` letters holds a window of this length that begins at a multiple of `_STRIDE`.
_WINDOW: Final = 6
_STRIDE: Final = MIN_PIECE - _WINDOW + 1
#: A shorter piece of the same weight holds such a window with a heavy character in it.
_HEAVY_WINDOW: Final = 3
_HEAVY_RUN: Final = re.compile(
    "[\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff]+"
)
_SPACES: Final = str.maketrans("\n\r\t", "   ")


class TooLargeError(Exception):
    """A request has too many parts to be compared with a text."""


def weight(piece: str) -> int:
    """Return how much a string says, in letters."""
    if piece.isascii():
        return len(piece)
    return len(piece) + (_HEAVY - 1) * sum(run.end() - run.start() for run in _HEAVY_RUN.finditer(piece))


def remove_prompt(text: str, prompt: Iterable[str]) -> str:
    """Replace every piece of the prompt of the weight `MIN_PIECE` or more, and shorter strings as a whole.

    The prompt is searched once per form of the text, in steps: a million letters take about 20 ms. Most texts have one
    form. A text that cannot be decided at a bounded cost is removed.
    """
    forms = list(_forms(text))
    seen: set[str] = set()
    size = compared = 0
    try:
        for piece in prompt:
            if piece in seen or weight(piece[:MIN_WHOLE]) < MIN_WHOLE:
                continue
            seen.add(piece)
            size += len(piece)
            if size > _MAX_PROMPT or size * len(forms) > _MAX_SCANNED:
                return REMOVED_MESSAGE
            shown = piece.translate(_SPACES).replace("\x00", "\ufffd") if not piece.isprintable() else piece
            for form in forms:
                compared += 1 + form.find(shown)
                if compared > _MAX_COMPARED:
                    return REMOVED_MESSAGE
    except TooLargeError:
        return REMOVED_MESSAGE
    return hide(text, {place for form in forms for place in form.places()})


def remove_values(text: str, values: Iterable[str]) -> str:
    """Replace every value as a whole, also an encoded one."""
    pattern = re.compile("|".join(map(re.escape, values)))
    hidden = {place for found in pattern.finditer(text) for place in range(*found.span())}
    for plain, starts in decodings(text):
        for found in pattern.finditer(plain):
            hidden.update(range(starts[found.start()], starts[found.end()]))
    return hide(text, hidden)


def _forms(text: str) -> Iterator[_Form]:
    """Yield the text as it is, its decoded forms, and those with the blanks of a form ("a+b")."""
    for plain, starts in ((text, None), *decodings(text)):
        plain = plain.translate(_SPACES)  # noqa: PLW2901 - a program may print a line break as a blank
        yield _Form(plain, starts)
        if "+" in plain:
            yield _Form(plain.replace("+", " "), starts)


class _Form:
    """One form of a text, and what the prompt has in common with it."""

    def __init__(self, text: str, starts: list[int] | None) -> None:
        self._text = text
        self._starts = starts
        self._at: dict[str, list[int]] = {}
        for start in range(len(text) - _WINDOW + 1):
            self._at.setdefault(text[start : start + _WINDOW], []).append(start)
        self._heavy_at: dict[str, list[int]] = {}
        for start in sorted({start for run in _HEAVY_RUN.finditer(text) for start in _around(run, len(text))}):
            self._heavy_at.setdefault(text[start : start + _HEAVY_WINDOW], []).append(start)
        #: Each place that must be removed, with the start and end of the common piece around it.
        self._hidden: dict[int, tuple[int, int]] = {}

    def places(self) -> Iterator[int]:
        """Yield the places in the original text that must be removed."""
        if self._starts is None:
            yield from self._hidden
        else:
            for place in self._hidden:
                yield from range(self._starts[place], self._starts[place + 1])

    def find(self, piece: str) -> int:
        """Find the pieces of a string of the prompt, and return how many characters were compared."""
        if len(piece) < MIN_PIECE and weight(piece) < MIN_PIECE:
            return self._find_whole(piece)
        compared = 0
        for offset, places, window in self._candidates(piece):
            compared += sum(self._compare(piece, offset, place, window) for place in places)
            if compared > _MAX_COMPARED:
                break
        return compared

    def _candidates(self, piece: str) -> Iterator[tuple[int, list[int], int]]:
        """Yield the windows of a string that the text has, with their places in both."""
        yield from _shared(piece, range(0, len(piece) - _WINDOW + 1, _STRIDE), _WINDOW, self._at)
        for offsets in _heavy_windows(piece) if self._heavy_at else ():
            yield from _shared(piece, offsets, _HEAVY_WINDOW, self._heavy_at)

    def _find_whole(self, piece: str) -> int:
        """Find a short string, and return what the search cost."""
        cost, start = _SEARCH, self._text.find(piece)
        while start >= 0:
            end = start + len(piece)
            self._hidden |= dict.fromkeys(range(start, end), (start, end))
            cost += len(piece)
            start = self._text.find(piece, start + 1)
        return cost

    def _compare(self, piece: str, offset: int, place: int, window: int) -> int:
        """Hide the longest common piece around a common window, and return how many characters were compared."""
        shift = offset - place
        if place in self._hidden and not self._goes_on(piece, shift, *self._hidden[place]):
            return 1
        left, right = self._reach(place, window, piece, shift)
        if right - left >= MIN_PIECE or weight(self._text[left:right]) >= MIN_PIECE:
            self._hidden |= dict.fromkeys(range(left, right), (left, right))
        return 1 + right - left

    def _goes_on(self, piece: str, shift: int, left: int, right: int) -> bool:
        """Return whether the place hidden from ``left`` to ``right`` may be part of a longer piece here."""
        text = self._text
        return (left > 0 and left + shift > 0 and text[left - 1] == piece[left + shift - 1]) or (
            right < len(text) and right + shift < len(piece) and text[right] == piece[right + shift]
        )

    def _reach(self, place: int, window: int, piece: str, shift: int) -> tuple[int, int]:
        """Return the start and end of the longest common piece around a place in the text."""
        text, left, right = self._text, place, place + window
        while left > 0 and left + shift > 0 and text[left - 1] == piece[left + shift - 1]:
            left -= 1
        while right < len(text) and right + shift < len(piece) and text[right] == piece[right + shift]:
            right += 1
        return left, right


def _shared(
    piece: str, offsets: Iterable[int], window: int, at: Mapping[str, list[int]]
) -> Iterator[tuple[int, list[int], int]]:
    for offset in [offset for offset in offsets if piece[offset : offset + window] in at]:
        yield offset, at[piece[offset : offset + window]], window


def _around(run: re.Match[str], length: int) -> range:
    """Return the places of the windows that share a character with a run."""
    return range(max(0, run.start() - _HEAVY_WINDOW + 1), min(run.end(), length - _HEAVY_WINDOW + 1))


def _heavy_windows(piece: str) -> Iterator[Iterable[int]]:
    """Yield places of windows, so that every shorter piece that weighs `MIN_PIECE` contains one of these windows."""
    for run in _HEAVY_RUN.finditer(piece):
        start, end = run.span()
        yield max(0, start - _HEAVY_WINDOW + 1), end - 1
        yield range(start, end, 2)


def hide(text: str, hidden: Collection[int]) -> str:
    """Replace each run of places in a text."""
    if not hidden:
        return text
    kept: list[str] = []
    for position, letter in enumerate(text):
        if position not in hidden:
            kept.append(letter)
        elif position - 1 not in hidden:
            kept.append(REMOVED)
    return "".join(kept)
