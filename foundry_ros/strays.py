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


"""Points that hang in the air beside an object: what a depth camera sees at a depth edge."""

import numpy as np
from scipy import ndimage

# The grid is so many cells wide; pieces that no cell joins to the rest are apart.
CELLS = 16
TOUCHING = np.ones((3, 3, 3), bool)
# Pieces with a smaller share of the points are strays ...
PIECE = 0.005
# ... unless all of them hold more than this: then the object itself is in pieces.
STRAYS = 0.05


def attached(points: np.ndarray) -> np.ndarray:
    """
    Tell the points of an object from the few that float around it.

    A single pixel that mixes an edge with what is behind it lies between both. It would inflate
    the object's box, and its size to the student. Thin parts hold on to the rest cell by cell,
    and the hidden middle of an object leaves large pieces: both stay.

    :param points: (n, 3) float32, n >= 1, finite.
    :return: (n,) bool, at least 95 % of them true.
    """
    local = points.T - points.min(axis=0)[:, None]
    local *= CELLS / max(float(local.max()), 1e-6)
    x, y, z = local.astype(np.int32)
    shape = x.max() + 1, y.max() + 1, z.max() + 1
    cell = (x * shape[1] + y) * shape[2] + z
    counts = np.bincount(cell, minlength=shape[0] * shape[1] * shape[2])
    pieces, number = ndimage.label(counts.reshape(shape), TOUCHING)
    everything = np.ones(len(points), bool)
    if number == 1:
        return everything
    sizes = np.bincount(pieces.ravel(), counts)
    large = sizes >= PIECE * len(points)
    if sizes[large].sum() < (1 - STRAYS) * len(points):
        return everything
    return large[pieces.ravel()].take(cell)
