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
Surfaces as a graph: points joined to their neighbours, cut into patches, patches merged.

Image pixels and voxels both end up here, so the segmentation proper is written once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class SurfaceGraph:
    """
    Points of surfaces and their neighbourhood.

    ``points`` and ``normals`` (n, 3); ``cost`` (n,) concavity, ``curvature`` (n,) 1/m, positive
    where concave; ``near`` (2, e) neighbours on a continuing surface, ``jumps`` (2, f)
    neighbours in the image, one behind the other.
    """

    points: np.ndarray
    normals: np.ndarray
    cost: np.ndarray
    curvature: np.ndarray
    near: np.ndarray
    jumps: np.ndarray


def components(count: int, edges: np.ndarray) -> np.ndarray:
    """
    Label connected nodes.

    :param count: number of nodes.
    :param edges: (2, e) node indices.
    :return: (count,) labels from 0.
    """
    graph = coo_matrix((np.ones(edges.shape[1], bool), tuple(edges)), (count, count))
    return connected_components(graph, directed=False)[1]


def watershed(graph: SurfaceGraph, flat: float, least: int, rounds: int = 12) -> np.ndarray:
    """
    Cut the graph into patches that meet on the ridges of the cost.

    Connected nodes below ``flat`` are the basins; the others join the nearest basin, those of
    lower cost first, in rounds.

    :param least: basins of fewer nodes are flooded by their neighbours.
    :return: (n,) labels from 1, 0 where no basin reaches.
    """
    low = graph.cost < flat
    low[graph.jumps.ravel()] = False
    labels = components(len(low), graph.near[:, low[graph.near[0]] & low[graph.near[1]]])
    keep = (np.bincount(labels, low) >= least)
    labels = np.where(low, (np.cumsum(keep) * keep)[labels], 0)
    source, target = np.concatenate([graph.near, graph.near[::-1]], axis=1)
    open_ = labels[source] == 0
    source, target = source[open_], target[open_]
    gap = graph.points[source] - graph.points[target]
    order = np.argsort(-np.einsum('ij,ij->i', gap, gap))
    source, target = source[order], target[order]
    for level in (0.3, 0.45, 0.7, np.inf):
        for _ in range(3 if level < np.inf else rounds):
            ready = (labels[target] > 0) & (graph.cost[source] < level)
            if not ready.any():
                break
            # The nearest neighbour comes last, and the last write stays.
            labels[source[ready]] = labels[target[ready]]
            open_ = labels[source] == 0
            source, target = source[open_], target[open_]
    return labels


def merge(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """
    Join patches.

    :param labels: (n,) labels from 1, 0 = none.
    :param pairs: (2, p) labels that are one.
    :return: (n,) new labels, without gaps.
    """
    if not len(labels):
        return labels
    joined = components(int(labels.max()) + 1, pairs)
    return np.unique(np.where(labels > 0, joined[labels] + 1, 0), return_inverse=True)[1]


def contract(count: int, pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """
    Merge patches greedily, strongest attraction first, until only repulsion is left.

    Greedy additive edge contraction (Keuper et al. 2015) in rounds: every pair that is the
    best of both its patches is merged at once.

    :param count: labels are below it.
    :param pairs: (2, p) labels of touching patches, repeated as often as there is evidence.
    :param weights: (p,) evidence that they are one object (negative: that they are two).
    :return: (count,) the new label of each.
    """
    merged = np.arange(count)
    first, last = np.minimum(*pairs), np.maximum(*pairs)
    while True:
        keys, inverse = np.unique(first * count + last, return_inverse=True)
        weights = np.bincount(inverse.ravel(), weights, minlength=len(keys))
        first, last = keys // count, keys % count
        good = weights > 0
        if not good.any():
            return merged
        best = np.full(count, -np.inf)
        for side in (first, last):
            np.maximum.at(best, side[good], weights[good])
        best = good & (weights >= best[first]) & (weights >= best[last])
        step = components(count, np.stack([first[best], last[best]]))
        merged = step[merged]
        first, last = step[first], step[last]
        apart = first != last
        first, last, weights = first[apart], last[apart], weights[apart]
        first, last = np.minimum(first, last), np.maximum(first, last)
