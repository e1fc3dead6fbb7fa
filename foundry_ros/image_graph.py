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
from foundry_ros.surfaces import NOISE
import numpy as np
from scipy import ndimage

# Pixels across the reduced image; on it, the window of the normals and, to either side, how far
# a crease is looked for. Around it lies an empty border, so that all pixels have neighbours.
WIDTH, WINDOW, REACH = 320, 7, 3
BORDER = REACH
# The four neighbours of a pixel.
AROUND = tuple((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r == 0) != (c == 0))


@dataclass(frozen=True)
class ImageGraph:
    """
    A surface graph whose nodes are pixels of a reduced image.

    ``nodes`` (h, w) is the node of each reduced pixel, -1 = none, as on a border of 3 pixels;
    reduced pixel (r + 3, c + 3) is the pixel ``origin + stride * (r, c)`` of the cloud.
    ``ranges`` (h, w) is the distance of everything seen there, NaN where nothing is.
    """

    graph: SurfaceGraph
    nodes: np.ndarray
    origin: Tuple[int, int]
    stride: int
    ranges: np.ndarray


def image_graph(xyz: np.ndarray, clearance: np.ndarray, least: float) -> Optional[ImageGraph]:
    """
    Build the graph of the pixels that are clear of all surfaces.

    :param xyz: (3, H, W) float32.
    :param clearance: (H, W) metres from the nearest surface, negative where no object can be.
    :param least: clearance that objects have, metres; more at a distance, as noise grows.
    :return: the graph, or None when no pixel is clear.
    """
    stride = max(1, round(xyz.shape[2] / WIDTH))
    clearance = clearance[::stride, ::stride]
    free = clearance > least
    rows, columns = (np.flatnonzero(free.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    part = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    seen = _bordered(xyz[:, ::stride, ::stride][:, part[0], part[1]], np.nan)
    squares = np.einsum('kij,kij->ij', seen, seen)
    free = _bordered(free[part], False)
    free &= _bordered(clearance[part], 0) >= NOISE * squares
    if not free.any():
        return None
    ranges = np.sqrt(squares)
    points = np.where(free, seen, np.float32(np.nan))
    jump = jump_size(ranges)
    normals = image_normals(points, jump, WINDOW)
    cost, curvature = image_concavity(points, normals, jump, REACH)
    chosen = np.flatnonzero(free)
    nodes = np.full(free.shape, -1)
    nodes.ravel()[chosen] = np.arange(len(chosen))
    near, jumps = _edges(free, nodes, ranges, jump)
    points, normals = (np.ascontiguousarray(np.nan_to_num(a.reshape(3, -1).take(chosen, axis=1)).T)
                       for a in (points, normals))
    graph = SurfaceGraph(points, normals, cost.take(chosen), curvature.take(chosen), near, jumps)
    origin = int(rows[0]) * stride, int(columns[0]) * stride
    return ImageGraph(graph, nodes, origin, stride, ranges)


def _bordered(image, value):
    """Put a border of one value around an image (..., h, w)."""
    height, width = image.shape[-2:]
    result = np.full((*image.shape[:-2], height + 2 * BORDER, width + 2 * BORDER), value,
                     image.dtype)
    result[..., BORDER:-BORDER, BORDER:-BORDER] = image
    return result


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
    picture = _picture(image, labels).ravel()
    inside = picture > 0
    for step in (1, image.nodes.shape[1]):
        pair = picture[step:] == picture[:-step]
        three = pair[step:] & pair[:-step]
        inside[2 * step:-2 * step] &= three[2 * step:] & three[:-2 * step]  # five around each
    return inside[image.nodes.ravel() >= 0]


def _picture(image, labels):
    """Lay the labels of the nodes out as an image (h, w) int32, 0 where there is none."""
    return np.append(labels, 0).astype(np.int32).take(image.nodes)  # node -1 is the last


def jump_size(ranges):
    """Tell what step between neighbouring pixels is a depth jump: steep, and above noise."""
    return 0.008 * ranges + 0.002 * ranges ** 2


def _edges(free, nodes, ranges, jump):
    """Join the nodes of neighbouring pixels: (2, e) on a surface, (2, f) across a jump."""
    near, jumps, flat = [], [], free.ravel()
    for rows, columns in DIRECTIONS:
        step = rows * free.shape[1] + columns
        first = np.flatnonzero(flat[:-step] & flat[step:])
        apart = np.abs(ranges.take(first) - ranges.take(first + step)) > jump.take(first)
        for edges, chosen in ((near, first[~apart]), (jumps, first[apart])):
            edges.append(nodes.take([chosen, chosen + step]))
    return np.concatenate(near, axis=1), np.concatenate(jumps, axis=1)


def spread(image: ImageGraph, labels: np.ndarray, xyz: np.ndarray,
           free: np.ndarray) -> np.ndarray:
    """
    Give every pixel of the full image the label of the nearest node around it.

    :param image: the graph that was labelled.
    :param labels: (n,) labels of its nodes, from 1, 0 = none.
    :param xyz: (3, H, W) the cloud.
    :param free: (H, W) bool, the pixels that may get a label.
    :return: (H, W) int32 labels, 0 = none.
    """
    stride, (top, left) = image.stride, image.origin
    padded = _picture(image, labels)
    coarse = _shifted(padded, 0, 0)
    height, width = (min(stride * n, size - start) for n, size, start in
                     zip(coarse.shape, free.shape, image.origin))
    part = np.s_[top:top + height, left:left + width]
    mixed = np.zeros(coarse.shape, bool)
    for row, column in AROUND:
        mixed |= _shifted(padded, row, column) != coarse
    full = np.zeros(free.shape, np.int32)
    np.multiply(_enlarge(coarse, stride)[:height, :width], free[part], out=full[part])
    doubt = np.flatnonzero(_enlarge(mixed, stride)[:height, :width] & free[part])
    rows, columns = np.divmod(doubt, width)
    pixels = (top + rows) * free.shape[1] + left + columns
    points = xyz.reshape(3, -1).take(pixels, axis=1)
    full.ravel()[pixels] = _nearest(image, padded, points, rows // stride, columns // stride)
    return full


def _shifted(bordered, row, column):
    """Look one or no step to the side in an image with a border, and leave that off."""
    height, width = bordered.shape
    return bordered[BORDER + row:height - BORDER + row, BORDER + column:width - BORDER + column]


def _enlarge(image, stride):
    """Repeat each pixel along both axes."""
    return np.repeat(np.repeat(image, stride, axis=1), stride, axis=0)


def _nearest(image, labels, points, rows, columns):
    """Label points (3, n) by the nearest labelled node around, or 0 if none is near."""
    nodes = image.nodes
    home = (rows + BORDER) * nodes.shape[1] + columns + BORDER
    choice = np.zeros(points.shape[1], np.int32)
    best = (2.5 * jump_size(np.sqrt(np.einsum('ki,ki->i', points, points)))) ** 2
    known = np.ascontiguousarray(image.graph.points.T)
    for row, column in ((0, 0), *AROUND):
        cell = home + row * nodes.shape[1] + column
        label = labels.take(cell)
        offset = known.take(nodes.take(cell), axis=1)
        offset -= points
        distance = np.einsum('ki,ki->i', offset, offset)
        closer = (label > 0) & (distance < best)
        np.copyto(best, distance, where=closer)
        np.copyto(choice, label, where=closer)
    return choice
