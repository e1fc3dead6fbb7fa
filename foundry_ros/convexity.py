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

"""
Where surfaces meet in a concave crease: there one object ends and the next begins.

The local convexity of Stein et al. 2014 (LCCP), turned into a cost for every point: zero where
the surface is flat or convex, the sine of the crease where it is concave.
"""

from typing import Tuple

import numpy as np

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def image_concavity(points: np.ndarray, normals: np.ndarray, jump: np.ndarray,
                    reach: int) -> Tuple[np.ndarray, np.ndarray]:
    """
    Compare position and normal on both sides of each pixel, in four directions.

    :param points: (3, h, w), NaN where there is nothing, as on a border of ``reach`` pixels.
    :param normals: (3, h, w) unit vectors towards the origin.
    :param jump: (h, w) metres between neighbouring pixels that are taken for a depth jump.
    :param reach: pixels from the middle to either side.
    :return: (h, w) cost, the strongest concave change of the normal (0 none, 1.4 a right
        angle), and (h, w) mean curvature in 1/m, positive where concave.
    """
    shape, width = jump.shape, jump.shape[1]
    # Rows follow each other in memory, so that every direction is a step along one axis.
    points, normals = points.reshape(3, -1), normals.reshape(3, -1)
    limit = (3 * reach * jump).ravel()
    cost = np.zeros(limit.shape, np.float32)
    total, count = np.zeros_like(cost), np.zeros_like(cost)
    for rows, columns in DIRECTIONS:
        step = reach * (rows * width + columns)
        middle = np.s_[step:-step]
        span = points[:, 2 * step:] - points[:, :-2 * step]
        turn = normals[:, :-2 * step] - normals[:, 2 * step:]
        length = np.sqrt(np.einsum('ki,ki->i', span, span))
        bend = np.einsum('ki,ki->i', span, turn)
        with np.errstate(invalid='ignore', divide='ignore'):
            bend /= length
            known = (length < limit[middle]) & np.isfinite(bend)
            bend = np.where(known, bend, np.float32(0))
            np.maximum(cost[middle], bend, out=cost[middle])
            np.divide(bend, length, out=bend, where=known)
        total[middle] += bend
        count[middle] += known
    return cost.reshape(shape), (total / np.maximum(count, 1)).reshape(shape)
