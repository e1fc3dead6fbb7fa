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
Which patches are one object: convex neighbours, slivers, insides of vessels, occluded halves.

Every function looks at labelled nodes and gives pairs of labels (2, p) that belong together.
"""

from foundry_ros.graph import contract, Patches, SurfaceGraph
from foundry_ros.image_graph import ImageGraph
import numpy as np

# A border this concave on average is a crease: 0 flat, 1.4 a right angle.
CREASE = 0.5
# How much of the concavity within patches is taken off that of their border.
BACKGROUND = 1.5
# Evidence against one object from each pair of neighbours across a depth jump.
JUMP = 0.07
# A patch with fewer inner nodes is a sliver; it joins what it touches along so many nodes.
THIN, CONTACT = 10, 3
# A vessel's inside: mean curvature (1/m) of most inner nodes, how many there are, how far its
# rim may be from level (m), and how many nodes of it the wall hides.
CONCAVE, VESSEL, RIM, RIM_CONTACT = 3.0, 8, 0.03, 5
# Halves of an object: samples of a patch, its least nodes, at most so many patches.
SAMPLES, LEAST, MOST = 32, 40, 64
# How far apart halves may be, how far off each other's surface (m), on how many points of the
# way between them it is looked, and what share of the ways has to be hidden.
GAP, CONTINUES, STEPS, HIDDEN = 0.25, 0.01, 12, 0.5
NONE = np.zeros((2, 0), np.int64)


def convex(graph: SurfaceGraph, patches: Patches) -> np.ndarray:
    """
    Pair patches whose common border is, all in all, no concave crease.

    The cost on the border counts above the cost inside the patches, so the smooth hollow of a
    bowl is no crease; a border along a depth jump speaks for two objects.
    """
    labels, count = patches.labels, patches.count
    sizes = np.maximum(np.bincount(labels, minlength=count), 1)
    inside = np.bincount(labels, graph.cost, minlength=count) / sizes
    pairs, jumps = labels[patches.near], labels[patches.jumps]
    crease = graph.cost[patches.near].max(axis=0) - BACKGROUND * inside[pairs].min(axis=0)
    weights = np.concatenate([CREASE - crease,
                              np.full(jumps.shape[1], -JUMP)])
    return contract(count, np.concatenate([pairs, jumps], axis=1), weights)


def slivers(patches: Patches, inner: np.ndarray) -> np.ndarray:
    """Pair patches too thin to have a normal of their own with the one they touch most."""
    thin = np.bincount(patches.labels, inner, minlength=patches.count) < THIN
    ends = patches.labels[patches.near]
    ends = np.concatenate([ends, ends[::-1]], axis=1)
    pairs, contact = _counted(ends[:, thin[ends[0]]], patches.count)
    return _favourites(pairs, np.where(thin[pairs[1]], contact / 2, contact), CONTACT)


def _counted(pairs, count):
    """Give the different pairs (2, q) and how often each occurs."""
    keys, often = np.unique(pairs[0] * count + pairs[1], return_counts=True)
    return np.stack(np.divmod(keys, count)), often


def _favourites(pairs, scores, least):
    """Keep, for each first of the pairs, the one of highest score, if that is at least least."""
    order = np.argsort(scores, kind='stable')
    order = order[scores[order] >= least]
    best = dict(zip(pairs[0, order], order))  # the last one stays
    return pairs[:, list(best.values())]


def insides(graph: SurfaceGraph, patches: Patches, inner: np.ndarray, up: np.ndarray,
            scale: float = 1.0) -> np.ndarray:
    """
    Pair the hollow inside of a vessel with its outer wall, seen in front of it.

    A patch that is concave all over is an inside; the wall is what hides it from below and
    has its rim at the same height. ``scale``: size of the scene, 1 for table tops.
    """
    labels, count = patches.labels, patches.count
    known = np.bincount(labels, inner, minlength=count)
    hollow = np.bincount(labels, inner & (graph.curvature > CONCAVE / scale), minlength=count)
    hollow = (known >= VESSEL) & (hollow > known / 2)
    hollow[0] = False
    if not hollow.any():
        return NONE
    nodes = np.concatenate([patches.near, patches.jumps], axis=1)
    ends, ranges = labels[nodes], np.linalg.norm(graph.points[nodes], axis=2)
    ends = np.where(ranges[0] > ranges[1], ends, ends[::-1])  # what is behind comes first
    pairs, contact = _counted(ends[:, hollow[ends[0]]], count)
    top = _tops(graph.points @ up.astype(np.float32), labels, count)
    level = np.abs(top[pairs[0]] - top[pairs[1]]) < RIM * scale
    return _favourites(pairs[:, level], contact[level], RIM_CONTACT)


def _tops(heights, labels, count):
    """Give the highest point of each label, the topmost nodes (as many as 5 %) left out."""
    order = np.lexsort((heights, labels))
    ends = np.cumsum(np.bincount(labels, minlength=count))
    sizes = np.diff(ends, prepend=0)
    picks = np.clip(ends - 1 - sizes // 20, 0, len(labels) - 1)
    return np.where(sizes > 0, heights[order][picks], np.nan)


def occluded(image: ImageGraph, patches: Patches, scale: float = 1.0) -> np.ndarray:
    """
    Pair patches that continue each other behind something nearer, or behind missing depth.

    Samples of one patch lie on the tangent planes of the other and the other way round, and
    all that is seen on the way between them is nearer than the surface would be. ``scale``:
    size of the scene, 1 for table tops.
    """
    labels = patches.labels
    samples, found = _samples(labels)
    if len(found) < 2:
        return NONE
    points, normals = image.graph.points[samples], image.graph.normals[samples]
    low, high = points.min(axis=1), points.max(axis=1)
    a, b = np.triu_indices(len(found), 1)
    gap = np.linalg.norm(np.maximum(0, np.maximum(low[a] - high[b], low[b] - high[a])), axis=1)
    a, b = a[gap < GAP * scale], b[gap < GAP * scale]
    off = _continuation(points, normals, a, b, scale)
    fits = np.maximum(np.median(off.min(axis=2), axis=1), np.median(off.min(axis=1), axis=1))
    good = fits < CONTINUES * scale
    a, b, off = a[good], b[good], off[good]
    if not len(a):
        return NONE
    ends = samples[a], np.take_along_axis(samples[b], off.argmin(axis=2), axis=1)
    good = _hidden(image, labels, found[a], found[b], *ends, CONTINUES * scale) > HIDDEN
    return np.stack([found[a[good]], found[b[good]]])


def _samples(labels):
    """Pick evenly spread nodes of each label with enough of them: (k, SAMPLES), (k,) labels."""
    sizes = np.bincount(labels, minlength=1)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(labels.astype(np.uint16), kind='stable')  # numpy sorts these by radix
    sizes[0] = 0
    found = np.argsort(-sizes, kind='stable')[:MOST]
    found = np.sort(found[sizes[found] >= LEAST])
    spread = (np.arange(SAMPLES) + 0.5) / SAMPLES
    picks = starts[found, None] + (sizes[found, None] * spread).astype(int)
    return order[picks], found


def _continuation(points, normals, a, b, scale):
    """Measure how far samples of two patches lie off each other's tangent planes, metres."""
    # n_a . (p_b - p_a) for all samples of all pairs, as matrix products.
    own = np.einsum('kmi,kmi->km', points, normals)
    from_a = np.abs(normals[a] @ points[b].transpose(0, 2, 1) - own[a][:, :, None])
    from_b = np.abs(points[a] @ normals[b].transpose(0, 2, 1) - own[b][:, None, :])
    turn = 1 - normals[a] @ normals[b].transpose(0, 2, 1)
    return (from_a + from_b) / 2 + 0.1 * scale * turn


def _hidden(image, labels, first, last, start, end, margin):
    """Give the share of the ways between samples (p, m) that are hidden, for each pair."""
    pixels = np.flatnonzero(image.nodes.ravel() >= 0)
    width = image.nodes.shape[1]
    t = np.linspace(0, 1, STEPS + 2)[1:-1]
    (y0, x0), (y1, x1) = (np.divmod(pixels[nodes], width) for nodes in (start, end))
    rows = np.rint(y0[..., None] + (y1 - y0)[..., None] * t).astype(int)
    columns = np.rint(x0[..., None] + (x1 - x0)[..., None] * t).astype(int)
    ranges = image.ranges[rows, columns]
    # Along a straight line in space the inverse of the range is (nearly) linear in the image.
    ends = [1 / image.ranges.ravel()[pixels[nodes]][..., None] for nodes in (start, end)]
    expected = 1 / (ends[0] * (1 - t) + ends[1] * t)
    nodes = image.nodes[rows, columns]
    owner = np.where(nodes >= 0, labels[nodes], 0)
    own = (owner == first[:, None, None]) | (owner == last[:, None, None])
    with np.errstate(invalid='ignore'):
        covered = (np.isnan(ranges) | (ranges < expected - margin)) & ~own
    seen_through = (~own & ~covered).sum(axis=2)
    return ((seen_through <= 1) & (covered.sum(axis=2) >= 2)).mean(axis=1)
