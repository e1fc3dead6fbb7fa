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

"""A sheet of cards: each object near by, its parts, its name and what else it may be."""

from typing import List, Tuple

from foundry_ros.cloud import Cloud
from foundry_ros.names import NO_PART, UNKNOWN
from foundry_ros.pipeline import Detection, Frame
from foundry_ros.render import drawing
from foundry_ros.render.drawing import Image, ImageDraw
from foundry_ros.render.scene import LUMINANCE, object_colors
from foundry_ros.render.splat import draw_points
from foundry_ros.render.viewpoint import choose
import numpy as np

VIEW, GAP, COLUMNS = (300, 236), 16, 4
TEXT, ROW = 112, 20  # height of what stands under the picture, and of a row of the legend


def closeups(cloud: Cloud, result: Frame):
    """
    Draw a card for each object: the named ones first, surest first, then the unknown by size.

    :return: a PIL image; as many rows of four as it takes.
    """
    detections = sorted(result.detections, key=lambda d: (
        d.label == UNKNOWN, -len(d.indices) if d.label == UNKNOWN else -d.score))
    count = max(len(detections), 1)
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    legends = [_legend(detection) for detection in detections]
    wide = VIEW[0]
    high = VIEW[1] + TEXT + ROW * max((len(legend) for legend in legends), default=0)
    sheet = Image.new('RGB', (GAP + columns * (wide + GAP), GAP + rows * (high + GAP)),
                      drawing.PANEL)
    for i, (detection, legend) in enumerate(zip(detections, legends)):
        card = _card(cloud, detection, legend, result.scene.up, (wide, high))
        place = GAP + i % COLUMNS * (wide + GAP), GAP + i // COLUMNS * (high + GAP)
        sheet.paste(card, place, _round(card.size))
    return sheet


def _card(cloud, detection, legend, up, size):
    """Draw one card."""
    card = Image.new('RGB', size, drawing.CARD)
    card.paste(_portrait(cloud, detection, up), (0, 0))
    draw = ImageDraw.Draw(card)
    strange = detection.label == UNKNOWN
    y = VIEW[1] + 22
    drawing.text(draw, (16, y), detection.label, 20, drawing.FAINT if strange else drawing.INK,
                 bold=not strange)
    drawing.text(draw, (size[0] - 16, y), f'{detection.score:.2f}', 20,
                 drawing.FAINT if strange else drawing.INK, anchor='rm')
    y = _alternatives(draw, y + 26, detection) + 4
    for row in legend:
        x = 16.0
        for part, name in row:
            x = drawing.swatch(draw, x, y, name, drawing.part_color(part), 13) + 12
        y += ROW
    edges = ' x '.join(f'{edge * 100:.0f}' for edge in detection.box.size)
    drawing.text(draw, (16, size[1] - 14), f'{edges} cm', 12, drawing.FAINT)
    drawing.text(draw, (size[0] - 16, size[1] - 14), f'{len(detection.indices)} points', 12,
                 drawing.FAINT, anchor='rm')
    return card


def _alternatives(draw, y, detection):
    """Draw the hypotheses as bars; return y below them."""
    for label, score in detection.alternatives[:2]:
        first = label == detection.label
        drawing.text(draw, (16, y), label, 13, drawing.INK if first else drawing.FAINT)
        drawing.bar(draw, (124, y - 3, VIEW[0] - 60, y + 4), [score],
                    [drawing.ACCENT if first else drawing.FAINT])
        drawing.text(draw, (VIEW[0] - 16, y), f'{score:.2f}', 13, drawing.FAINT, anchor='rm')
        y += 20
    return y


def _legend(detection) -> List[List[Tuple[int, str]]]:
    """Break the object's parts into rows of (id, name)."""
    rows: List[List[Tuple[int, str]]] = []
    x = np.inf
    for part in np.unique(detection.parts[detection.parts != NO_PART]).tolist():
        name = detection.part_names[part].partition('/')[2]
        wide = drawing.swatch_width(name, 13) + 12
        if x + wide > VIEW[0] - 4:
            rows.append([])
            x = 16.0
        rows[-1].append((part, name))
        x += wide
    return rows


def _portrait(cloud: Cloud, detection: Detection, up: np.ndarray):
    """Draw the object's points alone, filling the picture."""
    points = cloud.xyz[detection.indices]
    view = choose(points, (), up, VIEW)
    light = None if cloud.rgb is None else cloud.rgb[detection.indices] @ LUMINANCE / 255
    colors = np.clip(object_colors(detection, light), 0, 255).astype(np.uint8)
    picture = draw_points(points, colors, view, 0.6)[0]
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _round(size: Tuple[int, int]):
    """Draw the mask of a card with round corners."""
    mask = Image.new('L', (size[0] * 2, size[1] * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * 2 - 1, size[1] * 2 - 1), 24, 255)
    return mask.reduce(2)
