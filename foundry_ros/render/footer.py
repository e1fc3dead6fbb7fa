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

"""The line below a picture: what the colours mean, the token budget and where the time went."""

from typing import Dict, List, Tuple

from foundry_ros.config import TOKEN_BUDGETS
from foundry_ros.names import NO_PART, UNKNOWN
from foundry_ros.pipeline import Frame
from foundry_ros.render import drawing
from foundry_ros.render.drawing import Image, ImageDraw
import numpy as np

ROW, MARGIN, GAP = 26, 20, 16


def legend(frame: Frame) -> List[List[Tuple[str, Tuple[int, int, int]]]]:
    """List the groups of the legend: a title, then names with colours, for what is there."""
    categories: Dict[str, Dict[int, str]] = {}
    whole = unknown = False
    for detection in frame.detections:
        seen = [int(i) for i in np.unique(detection.parts) if i != NO_PART]
        for part in seen:
            category, _, name = detection.part_names[part].partition('/')
            categories.setdefault(category, {})[part] = name
        unknown |= detection.label == UNKNOWN
        whole |= not seen and detection.label != UNKNOWN
    groups = [[(category, drawing.INK)] + [(name, drawing.part_color(part))
                                           for part, name in sorted(parts.items())]
              for category, parts in sorted(categories.items())]
    rest = [('no parts', drawing.WHOLE)] * whole + [('unknown', drawing.STRANGE)] * unknown
    return groups + ([[('', drawing.INK)] + rest] if rest else [])


def _group_width(group):
    title = drawing.width(group[0][0], 14) + 10 if group[0][0] else 0
    return title + sum(drawing.swatch_width(name) + 12 for name, _ in group[1:])


def _rows(groups, width):
    """Break the groups into rows."""
    rows, x = [[]], 0.0
    for group in groups:
        wide = _group_width(group)
        if rows[-1] and x + wide > width:
            rows.append([])
            x = 0.0
        rows[-1].append(group)
        x += wide + GAP
    return rows if rows[0] else []


def footer(frame: Frame, width: int):
    """Draw the footer; its height follows from the legend."""
    rows = _rows(legend(frame), width - 2 * MARGIN)
    image = Image.new('RGB', (width, ROW * len(rows) + 58), drawing.PANEL)
    draw = ImageDraw.Draw(image)
    draw.line((0, 0, width, 0), drawing.LINE)
    for i, row in enumerate(rows):
        x, y = float(MARGIN), 10 + ROW * (i + .5)
        for group in row:
            if group[0][0]:
                x = drawing.text(draw, (x, y), group[0][0], 14, bold=True) + 10
            for name, color in group[1:]:
                x = drawing.swatch(draw, x, y, name, color) + 12
            x += GAP
    y = image.height - 26
    x = _budget(draw, MARGIN, y, frame)
    _latency(draw, x + 28, y, width - MARGIN, frame)
    return image


def _budget(draw, x, y, frame):
    """Write the menu of budgets with the one in use lit; return x where it ends."""
    count = len(frame.detections)
    x = drawing.text(draw, (x, y), f'{count} object{"s" * (count != 1)}', 14, bold=True) + 22
    x = drawing.text(draw, (x, y), 'tokens', 14, drawing.FAINT) + 10
    for budget in TOKEN_BUDGETS:
        chosen = budget == frame.token_budget
        wide = drawing.width(str(budget), 14)
        if chosen:
            draw.rounded_rectangle((x - 6, y - 11, x + wide + 6, y + 11), 6, drawing.ACCENT)
        drawing.text(draw, (x, y), str(budget), 14, drawing.PANEL if chosen else drawing.FAINT,
                     bold=chosen)
        x += wide + 15
    return x


def _latency(draw, x, y, end, frame):
    """Draw the share of each stage in the time of the frame, and write the numbers."""
    times = {stage: frame.latency_ms.get(stage, 0.0) for stage in drawing.STAGES}
    total = max(frame.latency_ms.get('total', 0.0), sum(times.values()), 1e-6)
    times['other'] = total - sum(times.values())
    words = [(stage, f'{stage} {ms:.1f}') for stage, ms in times.items() if ms >= 0.05]
    room = sum(drawing.swatch_width(w) + 12 for _, w in words)
    last = f'{total:.1f} ms'
    start = end - room - drawing.width(last, 15)
    drawing.bar(draw, (x, y - 5, max(start - 16, x + 40), y + 5),
                [times[stage] / total for stage, _ in words],
                [drawing.STAGES[stage] for stage, _ in words])
    for stage, label in words:
        start = drawing.swatch(draw, start, y, label, drawing.STAGES[stage]) + 12
    drawing.text(draw, (end, y), last, 15, bold=True, anchor='rm')
