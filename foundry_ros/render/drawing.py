# Copyright 2026 The foundry_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Colours, type and small shapes of the pictures; the only place that imports Pillow."""

from functools import lru_cache
from typing import Sequence, Tuple

from foundry_ros.names import UNKNOWN
from foundry_ros.output import OutputError
import numpy as np

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError:
    raise OutputError('pictures are drawn by the package Pillow, which is not installed: '
                      "pip install 'foundry_ros[replay]', or use --no-pictures") from None

__all__ = ['Image', 'ImageDraw']

TOP, BOTTOM = (38, 46, 57), (17, 21, 27)
PANEL, CARD = (17, 21, 27), (24, 30, 38)
INK, FAINT, LINE = (234, 239, 245), (146, 160, 176), (58, 68, 80)
ACCENT = (80, 165, 255)
# The parts of a category have consecutive ids, so neighbours here must differ most.
PARTS = np.array([(255, 112, 98), (46, 204, 186), (255, 194, 78), (158, 130, 255),
                  (142, 208, 98), (250, 138, 200), (86, 170, 255), (222, 178, 138)], np.uint8)
WHOLE, STRANGE = (190, 202, 216), (122, 130, 140)
STAGES = {'crop': (110, 124, 140), 'segment': (86, 170, 255), 'tokens': (46, 204, 186),
          'student': (255, 194, 78), 'other': (78, 88, 100)}


@lru_cache(maxsize=16)
def font(size: int):
    """Give Pillow's own typeface; its glyphs are those of ASCII and a few more."""
    return ImageFont.load_default(size)


def text(draw, place: Tuple[float, float], words: str, size: int, color=INK, bold=False,
         anchor='lm') -> float:
    """
    Write a line.

    :param place: x, y of the anchor.
    :return: x where it ends.
    """
    draw.text(place, words, color, font(size), anchor, stroke_width=0.3 if bold else 0,
              stroke_fill=color)
    return place[0] + width(words, size)


def width(words: str, size: int) -> float:
    """Measure a line, in pixels."""
    return font(size).getlength(words)


def part_color(part: int) -> Tuple[int, int, int]:
    """Give the colour of a global part id."""
    return tuple(int(c) for c in PARTS[part % len(PARTS)])


def object_color(label: str) -> Tuple[int, int, int]:
    """Give the colour of what has no parts."""
    return STRANGE if label == UNKNOWN else WHOLE


def backdrop(size: Tuple[int, int]) -> np.ndarray:
    """Draw the background, darker towards the bottom; (height, width, 3) float32."""
    ramp = np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    rows = np.asarray(TOP, np.float32) * (1 - ramp) + np.asarray(BOTTOM, np.float32) * ramp
    return np.repeat(rows[:, None], size[0], axis=1)


def swatch(draw, x: float, y: float, words: str, color, size: int = 14) -> float:
    """Draw a legend entry, a coloured dot and its name; return x where it ends."""
    draw.rounded_rectangle((x, y - 5, x + 11, y + 6), 3, color)
    return text(draw, (x + 17, y), words, size, FAINT)


def swatch_width(words: str, size: int = 14) -> float:
    """Measure a legend entry."""
    return 17 + width(words, size)


def bar(draw, box: Tuple[float, float, float, float], shares: Sequence[float], colors):
    """Draw a horizontal bar of coloured shares (each at most 1) of its length."""
    x0, y0, x1, y1 = box
    radius = (y1 - y0) / 2
    draw.rounded_rectangle(box, radius, LINE)
    ends = x0 + (x1 - x0) * np.minimum(np.cumsum(shares), 1)
    for end, color in list(zip(ends, colors))[::-1]:
        if end - x0 >= 2 * radius:
            draw.rounded_rectangle((x0, y0, end, y1), radius, color)
