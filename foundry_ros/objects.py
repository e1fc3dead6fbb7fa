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

"""From a cloud to its objects: support surfaces off, instances out."""

from dataclasses import dataclass
from typing import Optional, Tuple

from foundry_ros.boxes import Box, upright_box
from foundry_ros.config import ObjectsParams
from foundry_ros.surfaces import find_surfaces, Plane
import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class ObjectCrop:
    """One object: ``indices`` (n,) int64 into the cloud, its ``box``, and ``up`` (3,)."""

    indices: np.ndarray
    box: Box
    up: np.ndarray


@dataclass(frozen=True)
class Scene:
    """The objects of a cloud, nearest first, the surfaces they stand on, and ``up`` (3,)."""

    objects: Tuple[ObjectCrop, ...]
    surfaces: Tuple[Plane, ...]
    up: np.ndarray


def find_objects(xyz: np.ndarray, mask: np.ndarray, height: int, width: int,
                 params: ObjectsParams, up: Optional[np.ndarray] = None,
                 rgb: Optional[np.ndarray] = None) -> Scene:
    """
    Find the objects of a cloud.

    :param xyz: (N, 3) float32, N = height * width, row-major if organised.
    :param mask: (N,) bool, the points to look at (see :func:`foundry_ros.crop.region`).
    :param height: rows of the cloud; 1 when it is not organised.
    :param width: columns of the cloud.
    :param params: sizes and distances in metres.
    :param up: (3,) unit vector in the cloud's frame if known; otherwise the normal of the
        largest support surface.
    :param rgb: (N, 3) uint8 if known.
    :return: the scene; without points or surfaces it is empty, not an error.
    """
    chosen = np.flatnonzero(mask)
    points = xyz[chosen]
    planes, up = find_surfaces(points, params.surface_distance,
                               params.max_surfaces if params.remove_surfaces else 0, up)
    free = np.ones(len(points), bool)
    surfaces = []
    for plane in planes:
        heights = plane.height(points)
        on = np.abs(heights) < params.surface_distance
        surfaces.append(Plane(plane.normal, plane.offset, chosen[on & free]))
        free &= ~on & (heights < params.max_height)
    if surfaces:
        free &= surfaces[0].height(points) > 0
    labels = np.full(height * width, -1, np.int64)
    labels[chosen[free]] = 0
    if height > 1:
        labels = _image_components(xyz, labels.reshape(height, width) == 0)
    objects = _crops(xyz, labels, params, up, surfaces)
    return Scene(objects, tuple(surfaces), up)


def _image_components(xyz, free):
    """Connect neighbouring pixels unless their depths differ."""
    shape = free.shape
    index = np.arange(free.size).reshape(shape)
    depth = np.linalg.norm(xyz, axis=1).reshape(shape)
    rows, columns = [], []
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        near = free[a] & free[b]
        near[near] = np.abs(depth[a][near] - depth[b][near]) < 0.01
        rows.append(index[a][near])
        columns.append(index[b][near])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), (free.size, free.size))
    labels = connected_components(graph, directed=False)[1]
    return np.where(free.ravel(), labels, -1)


def _crops(xyz, labels, params, up, surfaces):
    """Turn a label a point (-1 = none) into crops that pass the limits of size."""
    chosen = np.flatnonzero(labels >= 0)
    order = chosen[np.argsort(labels[chosen], kind='stable')]
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    objects = []
    for indices in groups:
        if len(indices) < params.min_points:
            continue
        points = xyz[indices]
        heights = [(plane.height(points).min(), plane) for plane in surfaces]
        floor = min((plane.offset for low, plane in heights if -0.02 < low < 0.03),
                    default=np.inf)
        box = upright_box(points, up, floor)
        if params.min_size <= box.size.max() <= params.max_size:
            objects.append(ObjectCrop(indices, box, up))
    objects.sort(key=lambda crop: np.linalg.norm(crop.box.center))
    return tuple(objects[:params.max_objects])
