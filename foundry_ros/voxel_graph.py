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

"""The surface graph of a cloud without order, on a voxel grid."""

from foundry_ros.crop import Voxels
from foundry_ros.graph import SurfaceGraph
import numpy as np
from scipy.spatial import cKDTree

NEIGHBOURS = 24
# In voxels: how far apart neighbours on a surface are, and how far normals look.
TOUCHING = 1.75
REACH = 3.5
# Normals over voxels round a crease off more than those of the image do.
GAIN = 1.6


def voxel_graph(voxels: Voxels, size: float) -> SurfaceGraph:
    """
    Build the graph of the voxels.

    :param voxels: at least one.
    :param size: edge of a voxel, metres.
    """
    points = voxels.points.astype(np.float64)
    count = min(NEIGHBOURS, len(points))
    distance, index = cKDTree(points).query(points, k=count, distance_upper_bound=REACH * size)
    distance, index = distance.reshape(-1, count), index.reshape(-1, count)
    index = np.where(np.isfinite(distance), index, np.arange(len(points))[:, None])
    normals = _normals(points, index)
    far = np.where(distance > TOUCHING * size, distance, np.inf)
    bend = _bend(points, normals, index, far)
    if _enclosed(points) and bend.sum() > 0:
        normals, bend = -normals, -bend
    cost = GAIN * np.maximum(np.sort(bend, axis=1)[:, -3:].mean(axis=1), 0)
    curvature = (bend / far).sum(axis=1) / np.maximum(np.isfinite(far).sum(axis=1), 1)
    here = np.repeat(np.arange(len(points)), count).reshape(-1, count)
    near = (distance < TOUCHING * size) & (here < index)
    return SurfaceGraph(voxels.points, *(a.astype(np.float32) for a in (normals, cost, curvature)),
                        np.stack([here[near], index[near]]), np.zeros((2, 0), np.int64))


def _normals(points, index):
    """Fit a plane to the neighbours of each point: (n, 3) unit normals towards the origin."""
    around = points[index]
    around -= around.mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(around.transpose(0, 2, 1) @ around)[1][:, :, 0]
    away = np.einsum('ij,ij->i', normals, points) > 0
    return np.where(away[:, None], -normals, normals)


def _bend(points, normals, index, distance):
    """Measure how concave the surface is between each point and its neighbours: (n, k)."""
    span = points[index] - points[:, None]
    turn = normals[:, None] - normals[index]
    return np.einsum('nki,nki->nk', span, turn) / distance


def _enclosed(points):
    """
    Tell whether the origin lies in the middle of the points.

    Then either a sensor stands in a room, or the cloud is a model around its own origin, and
    was not seen from there: if so, it looks hollow all around.
    """
    return bool((points.min(axis=0) < 0).all() and (points.max(axis=0) > 0).all())
