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
Points of an object to the tokens' raw material: groups of neighbours around spread-out centres.

The robot and the training side call this same code, so both see the same tokens. Source:
Point-BERT style grouping (Foundry, section 3; Point-JEPA, section 3.1).
"""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

POINTS = 1024
GROUPS = 64
NEIGHBOURS = 32
# Up to so many points, distances are told apart to a two-thousandth though they carry an index.
MOST_PACKED = 4096
AT_ONCE = 16  # clouds; more of their distances would not stay in the cache


@dataclass(frozen=True)
class Tokens:
    """
    What a batch of B objects looks like to the student.

    ``points`` (B, 1024, 3), ``groups`` (B, 64, 32, 3) relative to their centre, ``centers``
    (B, 64, 3): float32 in the unit sphere, +z up. ``neighbours`` (B, 64, 32) and ``starts``
    (B, 64) are the indices into ``points`` behind them.
    """

    points: np.ndarray
    groups: np.ndarray
    centers: np.ndarray
    neighbours: np.ndarray
    starts: np.ndarray


def upright_rotation(up: Sequence[float]) -> np.ndarray:
    """
    Give the smallest rotation that turns ``up`` to +z.

    :param up: (3,) direction, any length.
    :return: (3, 3) float64.
    :raises ValueError: ``up`` has no direction.
    """
    up = np.asarray(up, np.float64)
    length = np.linalg.norm(up)
    if not np.isfinite(length) or length == 0:
        raise ValueError(f'up is no direction: {up.tolist()}')
    x, y, z = up / length
    if z < -1 + 1e-9:  # upside down: any half turn about a horizontal axis will do
        return np.diag([1.0, -1.0, -1.0])
    k = 1 / (1 + z)
    return np.array([[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, z]])


def normalise(points: np.ndarray, up=(0.0, 0.0, 1.0)) -> Tuple[np.ndarray, np.ndarray, float]:
    """
    Turn an object upright, put its centroid at the origin and scale it to the unit sphere.

    :param points: (n, 3) finite, n >= 1, metres.
    :param up: (3,) which way is up among them.
    :return: (n, 3) float32; the centroid (3,) in the given frame; the radius in metres.
    """
    points = np.asarray(points)
    centroid = points.mean(axis=0, dtype=np.float64)
    # away from the origin first: single precision is then fine, and twice as fast
    local = (points - centroid.astype(points.dtype)).astype(np.float32, copy=False)
    local = local @ upright_rotation(up).T.astype(np.float32)
    radius = float(np.sqrt(np.einsum('ij,ij->i', local, local).max()))
    return local / np.float32(max(radius, 1e-9)), centroid, radius


def resample(points: np.ndarray, rng: np.random.Generator, count: int = POINTS) -> np.ndarray:
    """
    Choose ``count`` points at random; where there are fewer, repeat some at random.

    :return: (count,) indices into ``points``.
    """
    n = len(points)
    if n >= count:
        return rng.permutation(n)[:count]
    return rng.permutation(np.concatenate([np.arange(n), rng.integers(0, n, count - n)]))


def farthest_points(points: np.ndarray, count: int = GROUPS) -> Tuple[np.ndarray, np.ndarray]:
    """
    Spread ``count`` centres over each cloud: farthest point sampling from point 0.

    :param points: (B, n, 3) float32, near the origin: rounding grows with the distance from it.
    :return: (B, count) int64 indices; (B, count, n) float32 squared distances from those centres,
        within rounding: they may be a little below 0.
    """
    batch, n, _ = points.shape
    size = np.einsum('bij,bij->bi', points, points)
    # |p - c|^2 = (p, |p|^2, 1) . (-2 c, 1, |c|^2): one product a centre instead of passes over the
    # coordinates.
    every = np.ones((batch, 5, n), np.float32)
    every[:, :3], every[:, 3] = np.moveaxis(points, 2, 1), size
    center = np.ones((batch, n, 1, 5), np.float32)
    center[..., 0, :3], center[..., 0, 4] = -2 * points, size
    center = center.reshape(-1, 1, 5)
    first = np.arange(batch) * n  # of each cloud, among the points of all
    last = np.zeros(batch, np.int64)
    chosen = np.zeros((batch, count), np.int64)
    distance = np.empty((count, batch, 1, n), np.float32)
    nearest = np.full((batch, n), np.inf, np.float32)
    for i, row in enumerate(distance):
        chosen[:, i] = last
        np.matmul(center.take(first + last, axis=0), every, out=row)
        np.minimum(nearest, row[:, 0], out=nearest)
        last = nearest.argmax(axis=1)
    return chosen, np.moveaxis(distance[:, :, 0], 0, 1)


def least(distance: np.ndarray, count: int = NEIGHBOURS) -> np.ndarray:
    """
    Find the ``count`` nearest points of each centre, in no order.

    :param distance: (..., n) float32, see :func:`farthest_points`; overwritten.
    :return: (..., count) int64 indices.
    """
    n = distance.shape[-1]
    if n > MOST_PACKED:
        return np.argpartition(distance, count - 1, axis=-1)[..., :count]
    # Positive floats are ordered like the integers of the same bits. With the index in their
    # lowest bits they are sorted by value, which is four times as fast as by index.
    low = (1 << (n - 1).bit_length()) - 1
    packed = np.maximum(distance, 0, out=distance).view(np.int32)
    packed &= ~low
    packed |= np.arange(n, dtype=np.int32)
    packed.partition(count - 1, axis=-1)
    return np.bitwise_and(packed[..., :count], low, dtype=np.int64)


def group(points: np.ndarray, groups: int = GROUPS, neighbours: int = NEIGHBOURS) -> Tokens:
    """
    Group clouds of equal size around their farthest points.

    :param points: (B, n, 3) float32, n >= neighbours.
    """
    rows = np.arange(len(points))[:, None]
    starts = np.empty((len(points), groups), np.int64)
    index = np.empty((len(points), groups, neighbours), np.int64)
    for first in range(0, len(points), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        starts[some], distance = farthest_points(points[some], groups)
        index[some] = least(distance, neighbours)
    centers = points[rows, starts]
    around = points[rows[:, :, None], index] - centers[:, :, None]
    return Tokens(points, around, centers, index, starts)


def tokenise(clouds: List[np.ndarray], seed: int = 0) -> Tokens:
    """
    Bring normalised objects of any number of points to the student's input.

    An object gives the same tokens whatever else is in the batch.

    :param clouds: B arrays (n, 3), upright, in the unit sphere (see :func:`normalise`).
    :param seed: of the random subsample to 1,024 points.
    """
    if not clouds:
        return group(np.zeros((0, POINTS, 3), np.float32))
    picked = [c[resample(c, np.random.default_rng(seed))] for c in clouds]
    return group(np.stack(picked).astype(np.float32, copy=False))


def interpolation(centers: np.ndarray, points: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """
    Find each point's three nearest centres and their weights, inverse to the squared distance.

    :param centers: (g, 3). :param points: (n, 3).
    :return: indices (n, 3) int64 and weights (n, 3) float32 that sum to 1 (PointNet++, section
        3.4).
    """
    # |p - c|^2 without |p|^2, which is the same for all centres of a point: one matrix product.
    distance = (centers * centers).sum(axis=1) - 2 * (points @ centers.T)
    rows = np.arange(len(points))
    index = np.empty((len(points), 3), np.int64)
    for k in range(3):  # three times the least is faster than a partition
        index[:, k] = distance.argmin(axis=1)
        distance[rows, index[:, k]] = np.inf
    weight = 1 / (((points[:, None] - centers[index]) ** 2).sum(axis=2) + 1e-8)
    return index, (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def interpolate(values: np.ndarray, centers: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Carry values from the groups to points.

    :param values: (g, p) a row a group. :param centers: (g, 3). :param points: (n, 3).
    :return: (n, p).
    """
    index, weight = interpolation(centers, points)
    return sum(values[index[:, k]] * weight[:, k, None] for k in range(3))
