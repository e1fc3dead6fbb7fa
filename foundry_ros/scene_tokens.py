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
A whole scene as one sequence of tokens: a centre for every 32 points, in less than quadratic time.

The centres are those of :func:`foundry_ros.tokens.farthest_points` but for ties. Points lie in
buckets, the leaves of a k-d tree; a new centre can bring only those buckets nearer that it is
closer to than their farthest point is to a centre, which soon are few (QuickFPS, Han et al. 2023).
"""

from typing import Tuple

from foundry_ros.tokens import NEIGHBOURS
import numpy as np
from scipy.spatial import cKDTree

POINTS_A_TOKEN = 32
LEAST_IN_BUCKET = 64


def buckets(points: np.ndarray, depth: int) -> np.ndarray:
    """
    Halve points along the widest axis, again and again.

    :param points: (n, 3), n a multiple of 2**depth.
    :return: (2**depth, n / 2**depth) int64 indices.
    """
    index = np.arange(len(points))[None]
    for _ in range(depth):
        cells = points[index]
        axis = (cells.max(axis=1) - cells.min(axis=1)).argmax(axis=1)
        along = np.take_along_axis(cells, axis[:, None, None], axis=2)[..., 0]
        half = index.shape[1] // 2
        order = np.argpartition(along, half, axis=1)
        index = np.take_along_axis(index, order, axis=1).reshape(-1, half)
    return index


def farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """
    Spread ``count`` centres over a scene: farthest point sampling from point 0.

    :param points: (n, 3) float32, finite.
    :return: (count,) int64 indices.
    """
    n = len(points)
    # About sqrt(n) buckets of sqrt(n) points: neither list is long.
    depth = max(int(np.log2(max(n // LEAST_IN_BUCKET, 1))), 0)
    depth = min(depth, (n.bit_length() + 1) // 2)
    padded = np.concatenate([np.arange(n), np.zeros(-n % 2 ** depth, np.int64)])
    index = padded[buckets(points[padded], depth)]
    cells = np.ascontiguousarray(np.moveaxis(points[index], 2, 1))  # (buckets, 3, points)
    low, high = cells.min(axis=2), cells.max(axis=2)
    nearest = np.full(index.shape, np.inf, np.float32)
    farthest = np.full(len(index), np.inf, np.float32)
    chosen = np.zeros(count, np.int64)
    for i in range(1, count):
        center = points[chosen[i - 1]]
        outside = np.maximum(low - center, center - high)
        np.maximum(outside, 0, out=outside)
        touched = np.flatnonzero(np.einsum('ij,ij->i', outside, outside) < farthest)
        step = cells[touched] - center[:, None]
        np.multiply(step, step, out=step)
        distance = step[:, 0] + step[:, 1]
        distance += step[:, 2]
        distance = np.minimum(nearest[touched], distance)
        nearest[touched] = distance
        farthest[touched] = distance.max(axis=1)
        bucket = farthest.argmax()
        chosen[i] = index[bucket, nearest[bucket].argmax()]
    return chosen


def tokenise_scene(points: np.ndarray, neighbours: int = NEIGHBOURS
                   ) -> Tuple[np.ndarray, np.ndarray]:
    """
    Group a scene around its farthest points, a centre for every 32 points.

    :param points: (n, 3) float32 in the unit sphere, n >= 32; see
        :func:`foundry_ros.tokens.normalise`.
    :return: groups (1, c, 32, 3) relative to their centre and centers (1, c, 3), c = n // 32.
    """
    centers = points[farthest_points(points, len(points) // POINTS_A_TOKEN)]
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    _, index = tree.query(centers, neighbours)
    return (points[index] - centers[:, None])[None], centers[None]
