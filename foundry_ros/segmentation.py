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

"""The free points of a cloud, cut into objects: on the image, or on a voxel grid."""

from foundry_ros import relations
from foundry_ros.crop import voxel_grid
from foundry_ros.graph import basins, components, patches, surrounded, watershed, without_small
from foundry_ros.image_graph import image_basins, image_graph, interior, spread
from foundry_ros.voxel_graph import voxel_graph
import numpy as np
from scipy.spatial import cKDTree

# Furniture is so many times as big as what stands on tables.
SCALE = {'tabletop': 1.0, 'room': 4.0}
# Nodes below this cost are the inside of a patch; smaller patches are flooded by others.
FLAT, LEAST_NODES = 0.12, 5
# Objects reach down to this share of the surface distance once they are found above it.
FOOT = 0.75
# In a sweep heights count little, and gaps of so many voxels are bridged.
FLATTEN = 0.8
GAP = 2.5


def segment_image(xyz: np.ndarray, clearance: np.ndarray, params, up: np.ndarray) -> np.ndarray:
    """
    Label the objects of an organised cloud.

    :param xyz: (3, H, W) float32.
    :param clearance: (H, W) metres from the nearest surface, negative where no object can be.
    :param params: ObjectsParams with every value set.
    :param up: (3,) unit vector.
    :return: (H, W) int labels, 0 = none.
    """
    image = image_graph(xyz, clearance, params.surface_distance)
    if image is None:
        return np.zeros(clearance.shape, np.int32)
    graph, scale = image.graph, SCALE[params.mode]
    basins = without_small(image_basins(image, graph.cost < FLAT), LEAST_NODES)
    found = patches(graph, watershed(graph, basins))
    found = found.joined(relations.convex(graph, found))
    found = found.joined(relations.occluded(image, found, scale))
    found = found.joined(relations.slivers(found, interior(image, found.labels)))
    inner = interior(image, found.labels)
    found = found.joined(relations.insides(graph, found, inner, up, scale))
    return spread(image, found.labels, xyz, clearance > FOOT * params.surface_distance)


def segment_voxels(xyz: np.ndarray, free: np.ndarray, params, up: np.ndarray) -> np.ndarray:
    """
    Label the objects of a cloud without order.

    :param xyz: (N, 3) float32.
    :param free: (N,) bool, the points that can belong to objects.
    :param params: ObjectsParams with every value set.
    :param up: (3,) unit vector.
    :return: (N,) int labels, 0 = none.
    """
    result = np.zeros(len(xyz), np.int64)
    if free.any():
        voxels = voxel_grid(xyz[free], params.voxel_size)
        graph, scale = voxel_graph(voxels, params.voxel_size), SCALE[params.mode]
        low = without_small(basins(graph, graph.cost < FLAT), LEAST_NODES)
        found = patches(graph, watershed(graph, low))
        found = found.joined(relations.convex(graph, found))
        found = found.joined(relations.slivers(found, surrounded(graph, found.labels)))
        inner = surrounded(graph, found.labels)
        found = found.joined(relations.insides(graph, found, inner, up, scale))
        result[free] = found.labels[voxels.inverse]
    return result


def segment_sweep(xyz: np.ndarray, free: np.ndarray, params, up: np.ndarray) -> np.ndarray:
    """
    Label the objects of a sparse sweep: what is apart when seen from above.

    Beams are too far apart for normals, and for heights to tell objects apart.

    :param xyz: (N, 3) float32.
    :param free: (N,) bool, the points that can belong to objects.
    :param params: ObjectsParams with every value set.
    :param up: (3,) unit vector.
    :return: (N,) int labels, 0 = none.
    """
    result = np.zeros(len(xyz), np.int64)
    if free.any():
        points = xyz[free]
        flat = points - FLATTEN * (points @ up)[:, None] * up
        voxels = voxel_grid(flat.astype(np.float32), params.voxel_size)
        pairs = cKDTree(voxels.points).query_pairs(GAP * params.voxel_size,
                                                   output_type='ndarray')
        result[free] = components(len(voxels.points), pairs.T)[voxels.inverse] + 1
    return result
