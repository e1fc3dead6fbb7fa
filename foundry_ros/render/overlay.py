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

"""Boxes and names over a picture of a scene."""

import math
from typing import List, Sequence, Tuple

from foundry_ros.names import UNKNOWN
from foundry_ros.pipeline import Detection
from foundry_ros.render import drawing
from foundry_ros.render.drawing import Image, ImageDraw
from foundry_ros.render.viewpoint import box_corners, Viewpoint
import numpy as np

EDGES = [(i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit]
TYPE, PAD = 17, 8
# From so many objects on what is unknown goes without a tag, and type is smaller.
SEVERAL, CROWD = 5, 14


def draw_boxes(picture, view: Viewpoint, detections: Sequence[Detection]):
    """
    Draw the boxes over a picture, smooth; edges behind the object are fainter.

    :param picture: a PIL image, drawn upon.
    """
    layer = Image.new('RGBA', (view.size[0] * 2, view.size[1] * 2), (255, 255, 255, 0))
    draw = ImageDraw.Draw(layer)
    for detection in detections:
        corners = box_corners(detection.box)
        u, v, depth = view.project(corners)
        if depth.min() <= 1e-3:
            continue
        hidden = int(np.argmax(np.linalg.norm(corners - view.eye, axis=1)))
        color = drawing.STRANGE if detection.label == UNKNOWN else drawing.INK
        strong = 120 if detection.label == UNKNOWN else 210
        for i, j in EDGES:
            line = [(2 * u[i], 2 * v[i]), (2 * u[j], 2 * v[j])]
            draw.line(line, (*color, strong // 3 if hidden in (i, j) else strong), 3)
    layer = layer.resize(view.size, Image.Resampling.BOX)
    picture.paste(layer, mask=layer)


def draw_names(picture, view: Viewpoint, detections: Sequence[Detection]):
    """
    Write name and score above each box; tags make room for each other.

    :param picture: a PIL image, drawn upon.
    """
    draw = ImageDraw.Draw(picture, 'RGBA')
    size = TYPE - 4 if len(detections) >= CROWD else TYPE
    anchors = [_anchor(view, detection) for detection in detections]
    shown = [i for i, anchor in enumerate(anchors) if anchor is not None
             and not (len(detections) >= SEVERAL and detections[i].label == UNKNOWN)]
    words = {i: _words(detections[i]) for i in shown}
    widths = {i: drawing.width(' '.join(words[i]), size) + 2 * PAD + 4 for i in shown}
    taken: List[Tuple[float, float, float, float]] = []
    for i in sorted(shown, key=lambda i: anchors[i][1]):
        box = _free_place(anchors[i], widths[i], size + 10, view.size, taken)
        taken.append(box)
        _tag(draw, box, anchors[i], words[i], size)


def _words(detection):
    """Give name and score; what is unknown has none."""
    known = detection.label != UNKNOWN
    return (detection.label, f'{detection.score:.2f}') if known else (UNKNOWN,)


def _anchor(view, detection):
    """Return where the box ends upwards in the picture, or None outside it."""
    u, v, depth = view.project(box_corners(detection.box))
    if depth.min() <= 1e-3:
        return None
    u, v = u[1::2].mean(), max(v.min(), 0)
    inside = -20 < u < view.size[0] + 20 and -40 < v < view.size[1] + 40
    return (float(u), float(v)) if inside else None


def _free_place(anchor, width, height, size, taken):
    """Return the box nearest above the anchor that overlaps no other tag."""
    best, least = None, math.inf
    for up in range(0, 9):
        for aside in (0, -.35, .35, -.7, .7, -1.05, 1.05):
            for sign in (1, -1):
                x = anchor[0] + aside * width - width / 2
                y = anchor[1] - sign * (16 + up * (height * .5 + 2)) - height / 2
                x = min(max(x, 4), size[0] - width - 4)
                y = min(max(y, 4), size[1] - height - 4)
                box = (x, y, x + width, y + height)
                cost = math.hypot(x + width / 2 - anchor[0], y + height / 2 - anchor[1])
                cost += 30 * (sign < 0) + sum(_overlap(box, other) for other in taken)
                if cost < least:
                    best, least = box, cost
    return best


def _overlap(a, b):
    """Return how many pixels of area two boxes share, with a gap around them."""
    across = min(a[2], b[2]) - max(a[0], b[0]) + 4
    down = min(a[3], b[3]) - max(a[1], b[1]) + 4
    return across * down if across > 0 and down > 0 else 0.0


def _tag(draw, box, anchor, words, size):
    """Draw a tag with a thread to what it names."""
    strange = words[0] == UNKNOWN
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    if abs(middle[1] - anchor[1]) > 24 or abs(middle[0] - anchor[0]) > 24:
        draw.line([middle, anchor], (*drawing.INK, 130), 1)
        draw.ellipse((anchor[0] - 2, anchor[1] - 2, anchor[0] + 2, anchor[1] + 2),
                     (*drawing.INK, 200))
    draw.rounded_rectangle(box, 7, (*drawing.PANEL, 205), (*drawing.LINE, 255))
    x = drawing.text(draw, (box[0] + PAD, middle[1]), words[0], size,
                     drawing.FAINT if strange else drawing.INK, bold=not strange)
    if not strange:
        drawing.text(draw, (x + 6, middle[1]), words[1], size, drawing.FAINT)
