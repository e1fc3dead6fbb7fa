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

"""The picture of a whole cloud with what was found in it."""

from typing import Optional, Tuple

from foundry_ros.cloud import Cloud, finite_mask
from foundry_ros.names import NO_PART
from foundry_ros.pipeline import Frame
from foundry_ros.render import drawing
from foundry_ros.render.drawing import Image
from foundry_ros.render.footer import footer
from foundry_ros.render.overlay import draw_boxes, draw_names
from foundry_ros.render.splat import draw_points
from foundry_ros.render.viewpoint import box_corners, choose, seen_from_origin
import numpy as np
from scipy.ndimage import find_objects, gaussian_filter

LOW, HIGH = np.array([66., 82, 102]), np.array([146., 168, 192])
LUMINANCE = np.array([.299, .587, .114])
NO_OBJECT = -1
RIM = 168.0


def frame(cloud: Cloud, result: Frame, size: Tuple[int, int] = (1280, 960)):
    """
    Draw a cloud with its objects.

    :param result: what was found in it.
    :param size: width and height of the picture.
    :return: a PIL image.
    """
    below = footer(result, size[0])
    room = size[0], size[1] - below.height
    finite = np.flatnonzero(finite_mask(cloud.xyz))
    points = cloud.xyz[finite]
    view = choose(points, [d.box for d in result.detections], result.scene.up, room)
    colors, owner = _colors(cloud, result)
    if result.detections and not seen_from_origin(points[::50]):
        shown = _no_ceiling(points, result)
        finite, points = finite[shown], points[shown]
    picture, index = draw_points(points, colors[finite], view, 0.5)
    rims = 0.7 * _outlines(np.append(owner[finite], NO_OBJECT)[index])[..., None]
    picture += rims * (RIM - picture)
    picture = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw_boxes(picture, view, result.detections)
    draw_names(picture, view, result.detections)
    whole = Image.new('RGB', size, drawing.PANEL)
    whole.paste(picture, (0, 0))
    whole.paste(below, (0, room[1]))
    return whole


def _no_ceiling(points, result):
    """Leave out what is above all objects: from above it would hide them."""
    up = result.scene.up
    tops = [(box_corners(detection.box) @ up).max() for detection in result.detections]
    return points @ up.astype(points.dtype) <= max(tops)


def _colors(cloud: Cloud, result: Frame) -> Tuple[np.ndarray, np.ndarray]:
    """Return the colour (N, 3) uint8 of each point and the object (N,) that it is of."""
    owner = np.full(len(cloud.xyz), NO_OBJECT, np.int32)
    light = None if cloud.rgb is None else cloud.rgb @ LUMINANCE / 255
    colors = _surroundings(cloud, result.scene.up, light)
    for index, detection in enumerate(result.detections):
        owner[detection.indices] = index
        colors[detection.indices] = object_colors(
            detection, None if light is None else light[detection.indices])
    return np.clip(colors, 0, 255).astype(np.uint8), owner


def object_colors(detection, light: Optional[np.ndarray]) -> np.ndarray:
    """
    Colour an object's points by part.

    :param light: (n,) how light each point is, in [0, 1], or None where that is not known.
    :return: (n, 3) float64.
    """
    colors = np.where((detection.parts == NO_PART)[:, None],
                      drawing.object_color(detection.label),
                      drawing.PARTS[detection.parts % len(drawing.PARTS)]).astype(float)
    if light is None or not len(light):
        return colors
    # Keep the texture, not the paint: a dark object should show its parts as well.
    relative = light / max(np.percentile(light, 90), 0.05)
    return colors * (0.5 + 0.5 * np.clip(relative, 0, 1.1))[:, None]


def _surroundings(cloud, up, light):
    """Colour what is no object, subdued: by its own colour, or by height."""
    if light is not None:
        return 0.50 * (0.55 * cloud.rgb + 0.45 * 255 * light[:, None]) + 6
    height = np.full(len(cloud.xyz), np.nan)
    finite = finite_mask(cloud.xyz)
    height[finite] = cloud.xyz[finite] @ up
    low, high = np.percentile(height[finite], (2, 98)) if finite.any() else (0.0, 1.0)
    share = np.clip((height - low) / max(high - low, 1e-3), 0, 1)
    return LOW + np.nan_to_num(share)[:, None] * (HIGH - LOW)


def _outlines(owner):
    """Mark the rims of objects, smoothed, (height, width) float32 in [0, 1]."""
    rims = np.zeros(owner.shape, np.float32)
    for i, window in enumerate(find_objects(owner + 1)):
        if window is None:
            continue
        window = tuple(slice(max(s.start - 6, 0), s.stop + 6) for s in window)
        share = gaussian_filter((owner[window] == i).astype(np.float32), 2.5)
        rim = np.clip(1 - np.abs(share - 0.5) / 0.18, 0, 1)
        np.maximum(rims[window], rim, out=rims[window])
    return rims
