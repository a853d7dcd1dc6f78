"""A chart as PNG, for mail: stacked bars by day. The picture holds no text from users.

Pillow draws it without a background, in colours that can be read on white and on black.
"""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from alertworker.alerts.tables import Chart
from alertworker.money import spell_dollars

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

#: The picture's Content-ID, by which the page names it.
CONTENT_ID: Final = "chart@alertworker"
#: One for each series; colour-blind readers can tell them apart (https://jfly.uni-koeln.de/color/). The last one is
#: for all others.
COLOURS: Final = ("#3b8fd1", "#e69f00", "#00a57a", "#d9603b", "#c77ba8", "#9aa0a6")
_LINES: Final = "#80808066"
_TEXT: Final = "#7d7d7d"
#: In pixels: twice the size in the mail, for sharp screens.
WIDTH: Final = 1_120
HEIGHT: Final = 400
_TOP, _BOTTOM, _GAP = 16, 52, 12
_FONT_SIZE: Final = 24
#: The largest number of dates, and of amounts, on an axis.
_DATES: Final = 8
_AMOUNTS: Final = 4


def colour(chart: Chart, index: int) -> str:
    """Return the colour of a series."""
    return COLOURS[-1] if chart.others and index == len(chart.series) - 1 else COLOURS[index % len(COLOURS)]


def draw(chart: Chart) -> bytes:
    """Return the chart as PNG."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=_FONT_SIZE)
    highest = max(map(sum, zip(*_heights(chart), strict=True)), default=0)
    step = _step(highest)
    ceiling = max(step, -(-highest // step) * step)
    amounts = {amount: spell_dollars(amount) for amount in range(0, ceiling + 1, step)}
    left = _GAP + round(max(map(font.getlength, amounts.values())))
    for amount, words in amounts.items():
        y = _y(amount, ceiling)
        pen.line((left, y, WIDTH, y), fill=_LINES, width=2)
        pen.text((left - _GAP, y), words, fill=_TEXT, font=font, anchor="rm")
    _bars(chart, pen, ceiling, left)
    _dates(chart, pen, font, left)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _bars(chart: Chart, pen: ImageDraw, ceiling: int, start: int) -> None:
    slot = (WIDTH - start) / len(chart.days)
    for number in range(len(chart.days)):
        left = round(start + slot * (number + 0.15))
        right = max(left, round(start + slot * (number + 0.85)) - 1)
        edges = [0]
        for values in _heights(chart):
            edges.append(edges[-1] + values[number])
        for index, (low, high) in enumerate(pairwise(edges)):
            top, bottom = _y(high, ceiling), _y(low, ceiling) - 1
            if top <= bottom:
                pen.rectangle((left, top, right, bottom), fill=colour(chart, index))


def _dates(chart: Chart, pen: ImageDraw, font: FreeTypeFont | ImageFont, start: int) -> None:
    slot, every = (WIDTH - start) / len(chart.days), -(-len(chart.days) // _DATES)
    for number, day in enumerate(chart.days):
        if number % every == 0:
            x = start + slot * (number + 0.5)
            pen.text((x, HEIGHT - _BOTTOM + 14), f"{day.day} {day:%b}", fill=_TEXT, font=font, anchor="mt")


def _heights(chart: Chart) -> list[list[int]]:
    """Return the values to draw. A negative value, which is a refund, is drawn as 0."""
    return [[max(0, value) for value in series.values] for series in chart.series]


def _y(amount: int, ceiling: int) -> int:
    return HEIGHT - _BOTTOM - amount * (HEIGHT - _BOTTOM - _TOP) // ceiling


def _step(highest: int) -> int:
    """Return a round distance between the amounts of the axis, in nano-dollars.

    >>> _step(4_200_000_000_000), _step(0)
    (2000000000000, 1)
    """
    step = 1
    while highest > step * _AMOUNTS:
        step *= 10
    return next(small for small in (step // 10, step // 5, step // 2, step) if small and highest <= small * _AMOUNTS)
