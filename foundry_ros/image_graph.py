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

"""The surface graph of an organised cloud, on a reduced image, and the way back."""

from dataclasses import dataclass
from typing import Tuple

from foundry_ros.convexity import DIRECTIONS, image_concavity
from foundry_ros.graph import SurfaceGraph
from foundry_ros.normals import image_normals
import numpy as np
from scipy import ndimage

WIDTH = 320
WINDOW = 7
REACH = 3


@dataclass(frozen=True)
class ImageGraph:
    """
    A surface graph whose nodes are pixels of a reduced image.

    ``nodes`` (h, w) is the node of each reduced pixel, -1 = none; reduced pixel (r, c) is the
    pixel ``origin + stride * (r, c)`` of the cloud. ``ranges`` (h, w) is the distance of
    everything seen there, NaN where nothing is.
    """

    graph: SurfaceGraph
    nodes: np.ndarray
    origin: Tuple[int, int]
    stride: int
    ranges: np.ndarray


def image_graph(xyz: np.ndarray, free: np.ndarray) -> ImageGraph:
    """
    Build the graph of the free pixels.

    :param xyz: (H, W, 3) float32.
    :param free: (H, W) bool, at least one pixel; the others carry no object.
    """
    stride = max(1, round(free.shape[1] / WIDTH))
    rows, columns = (np.flatnonzero(free.any(axis=axis)) for axis in (1, 0))
    origin = (int(rows[0]), int(columns[0]))
    part = np.s_[rows[0]:rows[-1] + 1:stride, columns[0]:columns[-1] + 1:stride]
    seen = np.ascontiguousarray(xyz[part].transpose(2, 0, 1))
    free = free[part]
    ranges = np.sqrt(np.einsum('kij,kij->ij', seen, seen))
    points = np.where(free, seen, np.float32(np.nan))
    jump = jump_size(ranges)
    normals = image_normals(points, jump, WINDOW)
    cost, curvature = image_concavity(points, normals, jump, REACH)
    nodes = np.where(free, np.cumsum(free).reshape(free.shape) - 1, -1)
    near, jumps = _edges(nodes, ranges, jump)
    graph = SurfaceGraph(points[:, free].T, np.nan_to_num(normals[:, free].T), cost[free],
                         curvature[free], near, jumps)
    return ImageGraph(graph, nodes, origin, stride, ranges)


def image_basins(image: ImageGraph, low: np.ndarray) -> np.ndarray:
    """
    Label connected pixels that are low, as :func:`foundry_ros.graph.basins` does.

    Nodes at a depth jump belong to none, so the plain (and fast) connectivity of the image will
    do.
    """
    low = low.copy()
    low[image.graph.jumps] = False
    picture = image.nodes >= 0
    picture[picture] = low
    return ndimage.label(picture, np.ones((3, 3)))[0][image.nodes >= 0]


def interior(image: ImageGraph, labels: np.ndarray) -> np.ndarray:
    """Tell the nodes that are two pixels inside their patch, (n,) bool."""
    here = image.nodes >= 0
    picture = np.zeros(here.shape, labels.dtype)
    picture[here] = labels
    inside = picture > 0
    for axis in (0, 1):
        # Two steps along one axis after two along the other: a square of five pixels.
        for step in (1, 2):
            ahead, behind = [np.s_[:], np.s_[:]], [np.s_[:], np.s_[:]]
            ahead[axis], behind[axis] = np.s_[step:], np.s_[:-step]
            ahead, behind = tuple(ahead), tuple(behind)
            same = picture[ahead] == picture[behind]
            inside[ahead] &= same
            inside[behind] &= same
        edge = [np.s_[:], np.s_[:]]
        for edge[axis] in (np.s_[:2], np.s_[-2:]):
            inside[tuple(edge)] = False
    return inside[here]


def jump_size(ranges):
    """Tell what step between neighbouring pixels is a depth jump: steep, and above noise."""
    return 0.008 * ranges + 0.002 * ranges ** 2


def _edges(nodes, ranges, jump):
    """Join the nodes of neighbouring pixels: (2, e) on a surface, (2, f) across a jump."""
    near, jumps = [], []
    for rows, columns in DIRECTIONS:
        first = np.s_[:nodes.shape[0] - rows, max(-columns, 0):nodes.shape[1] - max(columns, 0)]
        last = np.s_[rows:, max(columns, 0):nodes.shape[1] + min(columns, 0)]
        both = (nodes[first] >= 0) & (nodes[last] >= 0)
        pair = np.stack([nodes[first][both], nodes[last][both]])
        apart = np.abs(ranges[first][both] - ranges[last][both]) > jump[first][both]
        near.append(pair[:, ~apart])
        jumps.append(pair[:, apart])
    return np.concatenate(near, axis=1), np.concatenate(jumps, axis=1)


def spread(image: ImageGraph, labels: np.ndarray, xyz: np.ndarray,
           free: np.ndarray) -> np.ndarray:
    """
    Give every pixel of the full image the label of the nearest node around it.

    :param image: the graph that was labelled.
    :param labels: (n,) labels of its nodes, from 1, 0 = none.
    :param xyz: (H, W, 3) the cloud.
    :param free: (H, W) bool, the pixels that may get a label.
    :return: (H, W) int32 labels, 0 = none.
    """
    stride, (top, left) = image.stride, image.origin
    coarse = np.where(image.nodes >= 0, np.append(labels, 0)[image.nodes], 0).astype(np.int32)
    full = np.zeros(free.shape, np.int32)
    rows, columns = (min(stride * n, size - start) for n, size, start in
                     zip(coarse.shape, free.shape, image.origin))
    part = np.s_[top:top + rows, left:left + columns]
    padded = np.pad(coarse, 1)
    around = np.stack([padded[r:r + coarse.shape[0], c:c + coarse.shape[1]]
                       for r in range(3) for c in range(3)])
    mixed = (around != coarse).any(axis=0)
    fine = np.repeat(np.repeat(coarse, stride, 0), stride, 1)[:rows, :columns]
    full[part] = np.where(free[part], fine, 0)
    doubt = np.repeat(np.repeat(mixed, stride, 0), stride, 1)[:rows, :columns] & free[part]
    r, c = np.nonzero(doubt)
    full[part][r, c] = _nearest(image, around, xyz[part][r, c], r // stride, c // stride)
    return full


def _nearest(image, around, points, rows, columns):
    """Label points (n, 3) by the nearest labelled node among 3 x 3, or 0 if none is near."""
    nodes = np.pad(image.nodes, 1, constant_values=-1)
    choice = np.zeros(len(points), np.int32)
    best = np.full(len(points), np.inf, np.float32)
    best[:] = 2.5 * jump_size(np.sqrt(np.einsum('ij,ij->i', points, points)))
    best *= best
    for k in range(9):
        label = around[k, rows, columns]
        offset = image.graph.points[nodes[rows + k // 3, columns + k % 3]] - points
        distance = np.einsum('ij,ij->i', offset, offset)
        closer = (label > 0) & (distance < best)
        best[closer], choice[closer] = distance[closer], label[closer]
    return choice
