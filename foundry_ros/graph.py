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
Surfaces as a graph: points joined to their neighbours, cut into patches, patches joined.

Image pixels and voxels both end up here, so the segmentation proper is written once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# The cost rises to a crease in steps; each is flooded so many neighbours deep.
FLOOD = ((0.3, 3), (0.45, 3), (0.7, 3), (np.inf, 12))


@dataclass(frozen=True)
class SurfaceGraph:
    """
    Points of surfaces and their neighbourhood.

    ``points`` and ``normals`` (n, 3); ``cost`` (n,) concavity; ``curvature`` (n,) 1/m, positive
    where concave; ``near`` (2, e) neighbours on a continuing surface; ``jumps`` (2, f)
    neighbours in the image, one behind the other.
    """

    points: np.ndarray
    normals: np.ndarray
    cost: np.ndarray
    curvature: np.ndarray
    near: np.ndarray
    jumps: np.ndarray


@dataclass(frozen=True)
class Patches:
    """
    Nodes grouped into patches: ``labels`` (n,) from 1, 0 = none, below ``count``.

    ``near`` (2, e) and ``jumps`` (2, f) are the edges of the graph between different patches.
    """

    labels: np.ndarray
    count: int
    near: np.ndarray
    jumps: np.ndarray

    def joined(self, pairs: np.ndarray) -> 'Patches':
        """Join patches by pairs (2, p) of labels; the labels that are left have no gaps."""
        if not pairs.size:
            return self
        new = numbered(components(self.count, pairs))
        labels = new.take(self.labels)
        return Patches(labels, int(new.max(initial=0)) + 1,
                       _between(self.near, labels), _between(self.jumps, labels))


def patches(graph: SurfaceGraph, labels: np.ndarray) -> Patches:
    """Group the nodes of a graph by their labels (n,), 0 = none."""
    return Patches(labels, int(labels.max(initial=0)) + 1,
                   _between(graph.near, labels), _between(graph.jumps, labels))


def _between(edges, labels):
    """Keep the edges whose ends have different labels."""
    ends = labels.take(edges)
    apart = np.flatnonzero((ends[0] != ends[1]) & (ends[0] > 0) & (ends[1] > 0))
    return edges.take(apart, axis=1)


def numbered(parents: np.ndarray) -> np.ndarray:
    """Count groups from 1 in order of first member, that of member 0 from 0."""
    first = np.full(parents.max() + 1, len(parents))
    np.minimum.at(first, parents, np.arange(len(parents)))
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[parents]


def components(count: int, edges: np.ndarray) -> np.ndarray:
    """
    Label connected nodes.

    :param count: number of nodes.
    :param edges: (2, e) node indices.
    :return: (count,) labels from 0.
    """
    graph = coo_matrix((np.ones(edges.shape[1], bool), tuple(edges)), (count, count))
    return connected_components(graph, directed=False)[1]


def basins(graph: SurfaceGraph, low: np.ndarray) -> np.ndarray:
    """Label the connected groups of the nodes that are ``low`` (n,) bool, from 1; others 0."""
    near = graph.near[:, low[graph.near[0]] & low[graph.near[1]]]
    return np.where(low, components(len(low), near) + 1, 0)


def without_small(labels: np.ndarray, least: int) -> np.ndarray:
    """Clear labels with fewer than ``least`` members, and close the gaps in the numbers."""
    keep = np.bincount(labels) >= least
    keep[0] = False
    return (np.cumsum(keep) * keep)[labels]


def watershed(graph: SurfaceGraph, labels: np.ndarray) -> np.ndarray:
    """
    Let basins grow until they meet on the ridges of the cost.

    :param labels: (n,) the basins, from 1; 0 = to be flooded, those of lower cost first, from
        the nearest neighbour.
    :return: (n,) labels, 0 where no basin reaches.
    """
    labels = labels.copy()
    empty = labels.take(graph.near) == 0
    source, target = _towards(graph.near, empty)
    gap = graph.points.take(source, axis=0) - graph.points.take(target, axis=0)
    order = _by_size(np.einsum('ij,ij->i', gap, gap))[::-1]
    source, target = source.take(order), target.take(order)
    cost = graph.cost.take(source)
    for level, depth in FLOOD:
        for _ in range(depth):
            ready = np.flatnonzero((labels.take(target) > 0) & (cost < level))
            if not len(ready):
                break
            # The nearest neighbour comes last, and the last write stays.
            labels[source.take(ready)] = labels.take(target.take(ready))
            left = np.flatnonzero(labels.take(source) == 0)
            source, target, cost = source.take(left), target.take(left), cost.take(left)
    return labels


def _by_size(values):
    """Sort float32 values >= 0 to three digits: their upper bits, which numpy sorts by radix."""
    return np.argsort((values.view(np.uint32) >> 16).astype(np.uint16), kind='stable')


def _towards(edges, empty):
    """Direct edges from each empty end to the other."""
    chosen = [np.flatnonzero(end) for end in empty]
    return tuple(np.concatenate([edges[one].take(chosen[0]), edges[1 - one].take(chosen[1])])
                 for one in (0, 1))


def surrounded(graph: SurfaceGraph, labels: np.ndarray) -> np.ndarray:
    """Tell the nodes of which all neighbours have the same label, (n,) bool."""
    edges = graph.near[:, labels[graph.near[0]] != labels[graph.near[1]]]
    inside = labels > 0
    inside[edges] = False
    return inside


def contract(count: int, pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """
    Merge patches greedily, strongest attraction first, until only repulsion is left.

    Greedy additive edge contraction (Keuper et al. 2015) in rounds: every pair that is the
    best of both its patches is merged at once.

    :param count: labels are below it.
    :param pairs: (2, p) labels of touching patches, repeated as often as there is evidence.
    :param weights: (p,) evidence that they are one object (negative: that they are two).
    :return: (2, q) pairs of labels that were merged.
    """
    merged = np.arange(count)
    first, last = np.minimum(*pairs), np.maximum(*pairs)
    while True:
        keys, inverse = np.unique(first * count + last, return_inverse=True)
        weights = np.bincount(inverse.ravel(), weights, minlength=len(keys))
        first, last = keys // count, keys % count
        good = weights > 0
        if not good.any():
            moved = np.flatnonzero(merged != np.arange(count))
            return np.stack([moved, merged[moved]])
        best = np.full(count, -np.inf)
        for side in (first, last):
            np.maximum.at(best, side[good], weights[good])
        best = good & (weights >= best[first]) & (weights >= best[last])
        step = np.arange(count)
        # A patch may be the best of several that tie; pointers are followed to the end.
        np.minimum.at(step, last[best], first[best])
        while (step[step] != step).any():
            step = step[step]
        merged = step[merged]
        first, last = step[first], step[last]
        apart = first != last
        first, last, weights = first[apart], last[apart], weights[apart]
        first, last = np.minimum(first, last), np.maximum(first, last)
