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

SAMPLE = 400
ANGLES = np.radians(np.arange(0.0, 180.0, 2.0))
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


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
    :return: (4,), from the largest row of its outer product with itself (Shepperd 1978).
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    outer = np.array([[1 + a - e - i, b + d, c + g, h - f],
                      [b + d, 1 + e - a - i, f + h, c - g],
                      [c + g, f + h, 1 + i - a - e, d - b],
                      [h - f, c - g, d - b, 1 + a + e + i]])
    vector = outer[outer.diagonal().argmax()]
    vector = vector / np.linalg.norm(vector)
    return -vector if vector[3] < 0 else vector


def upright_box(points: np.ndarray, axes: np.ndarray, floor: float = np.inf) -> Box:
    """
    Fit the box of smallest footprint that stands upright.

    :param points: (n, 3), n >= 1, finite.
    :param axes: (3, 3) of :func:`upright_axes`.
    :param floor: height (along up) of the support that the object stands on; the box reaches
        down to it when it lies below the lowest point.
    :return: the box; edges are at least a millimetre.
    """
    local = axes.astype(points.dtype) @ points.T  # (3, n): extremes along rows are fast
    turn = _smallest_footprint(local[:2, ::max(1, len(points) // SAMPLE)])
    local[:2] = turn.astype(points.dtype) @ local[:2]
    low, high = local.min(axis=1).astype(np.float64), local.max(axis=1).astype(np.float64)
    low[2] = min(low[2], floor)
    own = np.concatenate([turn @ axes[:2], axes[2:]])
    return Box((low + high) / 2 @ own, np.maximum(high - low, 1e-3), quaternion(own.T))


def _smallest_footprint(points):
    """Turn (2, n) points so that their smallest rectangle lies along x (longer side) and y."""
    along = DIRECTIONS.astype(points.dtype) @ points
    # Turned by a quarter the rectangles repeat, with their sides swapped.
    widths = np.ptp(along, axis=1).reshape(2, -1)
    best = np.argmin(widths[0] * widths[1])
    best += widths.shape[1] * (widths[1, best] > widths[0, best])
    c, s = DIRECTIONS[best]
    return np.array([[c, s], [-s, c]])
