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

    :param points: (3, h, w), NaN where there is nothing.
    :param normals: (3, h, w) unit vectors towards the origin.
    :param jump: (h, w) metres between neighbouring pixels that are taken for a depth jump.
    :param reach: pixels from the middle to either side.
    :return: (h, w) cost, the strongest concave change of the normal (0 none, 1.4 a right
        angle), and (h, w) mean curvature in 1/m, positive where concave.
    """
    cost = np.zeros(jump.shape, np.float32)
    total, count = np.zeros_like(cost), np.zeros_like(cost)
    for direction in DIRECTIONS:
        first, last, middle = _opposite(jump.shape, direction, reach)
        span = points[(slice(None), *last)] - points[(slice(None), *first)]
        turn = normals[(slice(None), *first)] - normals[(slice(None), *last)]
        length = np.sqrt(np.einsum('kij,kij->ij', span, span))
        bend = np.einsum('kij,kij->ij', span, turn)
        with np.errstate(invalid='ignore', divide='ignore'):
            bend /= length
            bend[~(length < 3 * reach * jump[middle])] = np.nan
            np.fmax(cost[middle], bend, out=cost[middle])
            bend /= length
        known = np.isfinite(bend)
        total[middle] += np.where(known, bend, 0)
        count[middle] += known
    return cost, total / np.maximum(count, 1)


def _opposite(shape, direction, reach):
    """Give the slices of the pixels before, after and in the middle along a direction."""
    rows, columns = direction[0] * reach, direction[1] * reach
    first, last, middle = [], [], []
    for size, step in zip(shape, (rows, columns)):
        low, high = slice(0, max(size - 2 * abs(step), 0)), slice(2 * abs(step), size)
        first.append(low if step >= 0 else high)
        last.append(high if step >= 0 else low)
        middle.append(slice(abs(step), max(size - abs(step), abs(step))))
    return tuple(first), tuple(last), tuple(middle)
