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

"""Uneven ground: what is low for its surroundings, where no plane fits a whole sweep."""

from foundry_ros.boxes import upright_axes
from foundry_ros.surfaces import Plane
import numpy as np
from scipy import ndimage

CELL, MOST_CELLS = 1.0, 400
# The ground rises by this share of the distance at most, and is looked for so many cells away.
SLOPE = 0.2
AROUND = 6
# The lowest points of a cell are reflections as often as ground.
LOWEST = 0.1


def uneven_clearance(points: np.ndarray, plane: Plane, max_height: float) -> np.ndarray:
    """
    Measure heights above the local ground.

    The ground under a cell of a metre is the lowest that any cell around it allows, when the
    ground rises by no more than a slope (the cone of Vosselman 2000).

    :param points: (n, 3) finite points, n >= 1.
    :param plane: the plane that fits most of the ground.
    :param max_height: objects reach no higher, metres.
    :return: (n,) float32, metres, negative where a point is higher than objects are or below
        the ground by more than a tenth of that.
    """
    heights = plane.height(points)
    flat = points @ upright_axes(plane.normal)[:2].T.astype(points.dtype)
    flat -= flat.min(axis=0)
    cell = max(CELL, float(flat.max()) / MOST_CELLS)
    cells = (flat / cell).astype(np.int64)
    shape = tuple(cells.max(axis=0) + 1)
    keys = np.ravel_multi_index(tuple(cells.T), shape)
    near_plane = np.abs(heights) < max_height
    ground = _low(keys[near_plane], heights[near_plane], shape)
    reach = np.arange(-AROUND, AROUND + 1) * cell
    cone = SLOPE * np.hypot(reach[:, None], reach)
    ground = ndimage.grey_erosion(ground, structure=-cone, mode='nearest')
    above = heights - ground.ravel()[keys]
    allowed = (above < max_height) & (above > -0.1 * max_height)
    return np.where(allowed, np.abs(above), -np.abs(above)).astype(np.float32)


def _low(keys, heights, shape):
    """Give a low height of each cell, inf where it is empty."""
    ground = np.full(shape, np.inf)
    order = np.lexsort((heights, keys))
    cells, first, counts = np.unique(keys[order], return_index=True, return_counts=True)
    ground.ravel()[cells] = heights[order][first + (LOWEST * counts).astype(int)]
    return ground
