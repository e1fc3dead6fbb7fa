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

"""Oriented boxes that stand upright on a support plane."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

HULL_SAMPLE = 1000


@dataclass(frozen=True)
class Box:
    """
    An upright box in the cloud's frame.

    ``center`` (3,) and ``size`` (3,) in metres, ``orientation`` (4,) quaternion x, y, z, w that
    turns the box's axes into the cloud's; its z axis is up, its x axis the longer side.
    """

    center: np.ndarray
    size: np.ndarray
    orientation: np.ndarray


def upright_axes(up: np.ndarray) -> np.ndarray:
    """
    Complete an up direction to a right-handed frame.

    :param up: (3,) unit vector.
    :return: (3, 3) rows x, y and z = up.
    """
    helper = np.eye(3)[np.argmin(np.abs(up))]
    x = np.cross(helper, up)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """
    Turn a rotation matrix into a unit quaternion x, y, z, w with w >= 0.

    :param rotation: (3, 3), columns are the turned axes.
    :return: (4,); the eigenvector of Bar-Itzhack's matrix (2000), which has no special cases.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation
    k = np.array([[a - e - i, b + d, c + g, h - f],
                  [b + d, e - a - i, f + h, c - g],
                  [c + g, f + h, i - a - e, d - b],
                  [h - f, c - g, d - b, a + e + i]]) / 3
    vector = np.linalg.eigh(k)[1][:, -1]
    return -vector if vector[3] < 0 else vector


def upright_box(points: np.ndarray, up: np.ndarray, floor: float = np.inf) -> Box:
    """
    Fit the box of smallest footprint whose z axis is up.

    :param points: (n, 3), n >= 1, finite.
    :param up: (3,) unit vector.
    :param floor: height (along up) of the support that the object stands on; the box reaches
        down to it when it lies below the lowest point.
    :return: the box; edges are at least a millimetre.
    """
    frame = upright_axes(up)
    local = points.astype(np.float64) @ frame.T
    turn = _smallest_footprint(local[::max(1, len(local) // HULL_SAMPLE), :2])
    local[:, :2] = local[:, :2] @ turn.T
    low, high = local.min(axis=0), local.max(axis=0)
    low[2] = min(low[2], floor)
    axes = np.eye(3)
    axes[:2, :2] = turn
    axes = axes @ frame
    size = np.maximum(high - low, 1e-3)
    return Box((low + high) / 2 @ axes, size, quaternion(axes.T))


def _smallest_footprint(points):
    """Rotate so that the smallest enclosing rectangle is along x (longer side) and y."""
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        corners = points
    edges = np.roll(corners, -1, axis=0) - corners
    angles = np.append(np.arctan2(edges[:, 1], edges[:, 0]), 0.0)
    turns = np.stack([np.stack([np.cos(angles), np.sin(angles)], axis=1),
                      np.stack([-np.sin(angles), np.cos(angles)], axis=1)], axis=1)
    turned = turns @ corners.T
    sides = turned.max(axis=2) - turned.min(axis=2)
    best = np.argmin(sides.prod(axis=1))
    turn = turns[best]
    return turn if sides[best, 0] >= sides[best, 1] else np.array([turn[1], -turn[0]])
