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

"""Where a picture is taken from."""

from dataclasses import dataclass
from typing import Sequence, Tuple

from foundry_ros.boxes import Box
import numpy as np

RAISE = np.radians(9.0)
HIGHEST = np.radians(62.0)
OVERVIEW = np.radians(38.0)
# Left free on every side, share of the picture, and for names above it, pixels.
MARGIN, HEADROOM = 0.05, 20
CORNERS = np.array([[x, y, z] for x in (-.5, .5) for y in (-.5, .5) for z in (-.5, .5)])


@dataclass(frozen=True)
class Viewpoint:
    """
    A virtual pinhole camera in the cloud's frame.

    ``rotation`` (3, 3) rows are its right, down and forward; ``eye`` (3,) its place; ``focal``
    and ``centre`` in pixels of a picture of ``size`` (width, height).
    """

    rotation: np.ndarray
    eye: np.ndarray
    focal: float
    centre: Tuple[float, float]
    size: Tuple[int, int]

    def project(self, points: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """
        Project points into the picture.

        :param points: (n, 3).
        :return: u, v in pixels and depth along the view, (n,) each; behind the eye the depth is
            not positive and u, v mean nothing.
        """
        local = (points - self.eye.astype(points.dtype)) @ self.rotation.T.astype(points.dtype)
        depth = local[:, 2]
        scale = self.focal / np.where(depth > 1e-6, depth, 1)
        return local[:, 0] * scale + self.centre[0], local[:, 1] * scale + self.centre[1], depth

    def enlarged(self, factor: int) -> 'Viewpoint':
        """Give the same view with ``factor`` times as many pixels each way."""
        return Viewpoint(self.rotation, self.eye, self.focal * factor,
                         (self.centre[0] * factor, self.centre[1] * factor),
                         (self.size[0] * factor, self.size[1] * factor))


def box_corners(box: Box) -> np.ndarray:
    """Give the corners (8, 3) of a box; corner i has the bits of i as x, y and z."""
    x, y, z, w = box.orientation
    turn = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
    return CORNERS * box.size @ turn.T + box.center


def choose(points: np.ndarray, boxes: Sequence[Box], up: np.ndarray, size: Tuple[int, int]
           ) -> Viewpoint:
    """
    Choose a view of a scene: that of the sensor, raised a little; of a sweep, from above.

    :param points: (n, 3) finite, the sensor at the origin.
    :param boxes: what should be seen, with what is around; where there are none, the points.
    :param up: (3,) unit vector.
    :param size: width and height of the picture, pixels.
    """
    if not len(points):
        points = np.array([[0.0, 0.0, 1.0]])
    sample = points[::max(1, len(points) // 20000)].astype(np.float64)
    corners = np.concatenate([box_corners(box) for box in boxes]) if boxes else sample
    target = np.median(corners, axis=0)
    reach = np.percentile(np.linalg.norm(corners - target, axis=1), 98) + 1e-3
    camera = seen_from_origin(sample)
    eye = _raised(target, up) if camera else _overview(target, reach, up)
    context = 1.6 if camera else 0.8
    near = sample[np.linalg.norm(sample - target, axis=1) < context * reach]
    if not boxes:
        return _aim(eye, target, up, sample, sample[:0], size, 0)
    return _aim(eye, target, up, near, corners, size, HEADROOM)


def _aim(eye, target, up, points, corners, size, headroom):
    """Look from an eye at a target so that most points, and all corners, fill the picture."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right) + 1e-12
    rotation = np.stack([right, np.cross(forward, right), forward])
    flat = []
    for group in (points, corners):
        local = (group - eye) @ rotation.T
        local = local[local[:, 2] > 0.05 * np.linalg.norm(target - eye)]
        flat.append(local[:, :2] / local[:, 2:])
    most = np.percentile(flat[0], (0.5, 99.5), axis=0) if len(flat[0]) else [(-.5, -.5), (.5, .5)]
    extent = np.concatenate([most, flat[1]])
    low, high = extent.min(axis=0), extent.max(axis=0)
    room = np.array(size) * (1 - 2 * MARGIN) - (0, headroom)
    focal = float(np.min(room / np.maximum(high - low, 1e-3)))
    middle = (np.array(size) + (0, headroom)) / 2 - focal * (low + high) / 2
    return Viewpoint(rotation, np.asarray(eye, float), focal, tuple(middle), tuple(size))


def seen_from_origin(points: np.ndarray) -> bool:
    """Tell whether a camera at the origin took points (n, 3), rather than a sweep all around."""
    rays = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    axis = rays.mean(axis=0)
    axis /= max(np.linalg.norm(axis), 1e-9)
    return bool(np.mean(rays @ axis > 0.5) > 0.97)


def _raised(target, up):
    """Raise the sensor about the target, up to a steep view and no farther."""
    away = -target
    distance = np.linalg.norm(away)
    height = np.arcsin(np.clip(away @ up / max(distance, 1e-9), -1, 1))
    level = away - (away @ up) * up
    if np.linalg.norm(level) < 1e-6:
        return np.zeros(3)
    level /= np.linalg.norm(level)
    angle = max(height, min(height + RAISE, HIGHEST))
    return target + 1.08 * distance * (np.cos(angle) * level + np.sin(angle) * up)


def _overview(target, reach, up):
    """Look down from behind the sensor (which looks along x), or from its side of the target."""
    level = -target + (target @ up) * up
    if np.linalg.norm(level) < 0.5 * reach:
        level = np.array([-1.0, 0, 0]) + up[0] * up
        level = level if np.linalg.norm(level) > 1e-3 else np.array([0, -1.0, 0]) + up[1] * up
    level /= np.linalg.norm(level)
    return target + 2.2 * reach * (np.cos(OVERVIEW) * level + np.sin(OVERVIEW) * up)
