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
from typing import Optional, Tuple

from foundry_ros.convexity import DIRECTIONS, image_concavity
from foundry_ros.graph import SurfaceGraph
from foundry_ros.normals import image_normals
import numpy as np
from scipy import ndimage

# Pixels across the reduced image; on it, the window of the normals and, to either side, how far
# a crease is looked for.
WIDTH, WINDOW, REACH = 320, 7, 3
# Depth noise of structured light and stereo cameras at a metre; it grows with the square.
NOISE = 0.003
# The four neighbours of a pixel.
AROUND = tuple((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r == 0) != (c == 0))


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


def image_graph(xyz: np.ndarray, clearance: np.ndarray, least: float) -> Optional[ImageGraph]:
    """
    Build the graph of the pixels that are clear of all surfaces.

    :param xyz: (H, W, 3) float32.
    :param clearance: (H, W) metres from the nearest surface, negative where no object can be.
    :param least: clearance that objects have, metres; more at a distance, as noise grows.
    :return: the graph, or None when no pixel is clear.
    """
    stride = max(1, round(xyz.shape[1] / WIDTH))
    coarse = np.s_[::stride, ::stride]
    free = clearance[coarse] > least
    rows, columns = (np.flatnonzero(free.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    part = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    seen = np.ascontiguousarray(xyz[coarse][part].transpose(2, 0, 1))
    ranges = np.sqrt(np.einsum('kij,kij->ij', seen, seen))
    free = free[part] & ~(clearance[coarse][part] < NOISE * ranges ** 2)
    if not free.any():
        return None
    points = np.where(free, seen, np.float32(np.nan))
    jump = jump_size(ranges)
    normals = image_normals(points, jump, WINDOW)
    cost, curvature = image_concavity(points, normals, jump, REACH)
    nodes = np.where(free, np.cumsum(free).reshape(free.shape) - 1, -1)
    near, jumps = _edges(nodes, ranges, jump)
    graph = SurfaceGraph(points[:, free].T, np.nan_to_num(normals[:, free].T), cost[free],
                         curvature[free], near, jumps)
    origin = int(rows[0]) * stride, int(columns[0]) * stride
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
    """Tell the nodes whose patch goes on for two pixels along rows and columns, (n,) bool."""
    here = image.nodes >= 0
    picture = np.zeros(here.shape, labels.dtype)
    picture[here] = labels
    inside = picture > 0
    for axis in (0, 1):
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
        apart = both & (np.abs(ranges[first] - ranges[last]) > jump[first])
        for edges, chosen in ((near, both & ~apart), (jumps, apart)):
            edges.append(np.stack([nodes[first][chosen], nodes[last][chosen]]))
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
    coarse = np.append(labels, 0).astype(np.int32).take(image.nodes)  # node -1 is the last
    height, width = (min(stride * n, size - start) for n, size, start in
                     zip(coarse.shape, free.shape, image.origin))
    part = np.s_[top:top + height, left:left + width]
    padded = np.pad(coarse, 1)
    mixed = np.zeros(coarse.shape, bool)
    for row, column in AROUND:
        mixed |= _shifted(padded, row, column) != coarse
    full = np.zeros(free.shape, np.int32)
    full[part] = np.where(free[part], _enlarge(coarse, stride)[:height, :width], 0)
    doubt = np.flatnonzero(_enlarge(mixed, stride)[:height, :width] & free[part])
    rows, columns = np.divmod(doubt, width)
    pixels = (top + rows) * free.shape[1] + left + columns
    points = xyz.reshape(-1, 3).take(pixels, axis=0)
    full.ravel()[pixels] = _nearest(image, padded, points, rows // stride, columns // stride)
    return full


def _shifted(padded, row, column):
    """Look one or no step to the side in an image with a border of one pixel."""
    height, width = padded.shape
    return padded[1 + row:height - 1 + row, 1 + column:width - 1 + column]


def _enlarge(image, stride):
    """Repeat each pixel along both axes."""
    return np.repeat(np.repeat(image, stride, axis=1), stride, axis=0)


def _nearest(image, labels, points, rows, columns):
    """Label points (n, 3) by the nearest labelled node around, or 0 if none is near."""
    nodes = np.pad(image.nodes, 1, constant_values=-1)
    home = (rows + 1) * nodes.shape[1] + columns + 1
    choice = np.zeros(len(points), np.int32)
    best = (2.5 * jump_size(np.sqrt(np.einsum('ij,ij->i', points, points)))) ** 2
    for row, column in ((0, 0), *AROUND):
        cell = home + row * nodes.shape[1] + column
        label = labels.take(cell)
        offset = image.graph.points.take(nodes.take(cell), axis=0)
        offset -= points
        distance = np.einsum('ij,ij->i', offset, offset)
        closer = (label > 0) & (distance < best)
        np.copyto(best, distance, where=closer)
        np.copyto(choice, label, where=closer)
    return choice
