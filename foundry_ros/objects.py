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

"""From a cloud to its objects: surfaces off, instances out, a box around each."""

from dataclasses import dataclass, replace
from typing import List, Optional, Sequence, Tuple

from foundry_ros.boxes import Box, upright_axes, upright_box
from foundry_ros.config import by_mode, ObjectsParams
from foundry_ros.crop import columns
from foundry_ros.ground import uneven_clearance
from foundry_ros.segmentation import segment_image, segment_sweep, segment_voxels
from foundry_ros.strays import attached
from foundry_ros.surfaces import find_surfaces, find_walls, is_wall, noise, Plane
import numpy as np

# While surfaces are looked for, points may lie off them by so many surface distances.
THICK = 1.3
# How wide supports and walls are at least, in their narrower direction, metres.
WIDTH = {'tabletop': (0.35, 0.5), 'room': (0.4, 1.0), 'lidar': (5.0, np.inf)}
# So many upright planes may be walls. In a room, these and the faces of doors and cupboards, at
# least so wide, rise this high above the ground, metres.
WALLS = {'tabletop': 2, 'room': 6, 'lidar': 0}
FACE, TOP = 0.3, 1.4
# So many level planes are looked at to find the ground among them.
GROUNDS = 3
# An object whose lowest point is nearer than this share of its size stands on the support.
STANDING = 0.2
# Objects rise to so many surface distances at least.
RISE = 2.0


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


@np.errstate(invalid='ignore', over='ignore')  # NaN and inf stay in the cloud
def find_objects(xyz: np.ndarray, mask: np.ndarray, height: int, width: int,
                 params: ObjectsParams, up: Optional[np.ndarray] = None,
                 rgb: Optional[np.ndarray] = None) -> Scene:
    """
    Find the objects of a cloud.

    :param xyz: (N, 3) float32, N = height * width, row-major if organised; seen from its origin.
    :param mask: (N,) bool, the points to look at (see :func:`foundry_ros.crop.region`).
    :param height: rows of the cloud; 1 when it is not organised.
    :param width: columns of the cloud.
    :param params: sizes and distances in metres.
    :param up: (3,) unit vector in the cloud's frame if known; otherwise the normal of the
        main support surface.
    :param rgb: (N, 3) uint8 if known; not used yet.
    :return: the scene; without points or surfaces it is empty, not an error.
    """
    params = by_mode(params, params.mode)
    xyz = columns(xyz)
    chosen = np.flatnonzero(mask)
    sample = xyz[chosen[::max(1, len(chosen) // 3000)]]
    supports, up = _supports(sample, params, up)
    walls, top = _walls(sample, supports, params, up)
    clearance = _clearance(xyz, supports, params.max_height)
    if params.mode == 'lidar' and supports:
        clearance[mask] = uneven_clearance(xyz[mask], supports[0], params.max_height)
    on = mask & (np.abs(clearance) <= params.surface_distance)
    for wall in walls:
        np.minimum(clearance, np.abs(wall.height(xyz)) / 2, out=clearance)
    clearance[~mask] = -np.inf
    if params.mode == 'lidar':
        labels = segment_sweep(xyz, clearance > params.surface_distance, params, up)
    elif height > 1:
        shape = height, width
        labels = segment_image(xyz.T.reshape(3, *shape), clearance.reshape(shape), params, up)
    else:
        labels = segment_voxels(xyz, clearance > params.surface_distance, params, up)
    camera = height > 1 and params.mode != 'lidar'
    objects = [crop for crop in _crops(xyz, labels.ravel(), clearance, params, up, camera)
               if params.mode != 'room' or not is_wall(
                   xyz[crop.indices], params.surface_distance, FACE, up, top)]
    objects.sort(key=lambda crop: np.linalg.norm(crop.box.center))
    return Scene(tuple(objects[:params.max_objects]),
                 _with_points(xyz, supports, np.flatnonzero(on)), up)


def _supports(sample, params, up):
    """Find the supports and up."""
    if not params.remove_surfaces:
        return [], find_surfaces(sample, 1.0, 0.0, 0, up)[1]
    distance, width = THICK * params.surface_distance, WIDTH[params.mode][0]
    if params.mode == 'tabletop':
        return find_surfaces(sample, distance, width, params.max_surfaces, up)
    # Furniture and ceilings are level, too: the ground is the lowest.
    count = max(GROUNDS, params.max_surfaces)
    supports, up = find_surfaces(sample, distance, width, count, up, careful=True)
    return sorted(supports, key=lambda plane: plane.offset)[:params.max_surfaces], up


def _walls(sample, supports, params, up):
    """Find the walls, and the height that they and the faces of doors rise to."""
    if not params.remove_surfaces or not len(sample):
        return [], np.inf
    top = -np.inf
    if params.mode == 'room':
        top = TOP + (supports[0].offset if supports else (sample @ up).min())
    distance = THICK * params.surface_distance
    clear = sample[_clearance(sample, supports, params.max_height) > distance]
    return find_walls(clear, 2 * distance, WIDTH[params.mode][1], WALLS[params.mode], up, top), top


def _clearance(xyz: np.ndarray, supports: Sequence[Plane], max_height: float) -> np.ndarray:
    """
    Measure how far points are from the nearest support.

    :return: (N,) float32, metres, negative where a point is below all supports or too high
        above them; inf everywhere when there is no support.
    """
    clearance = np.full(len(xyz), np.inf, np.float32)
    for number, plane in enumerate(supports):
        height = plane.height(xyz)
        np.negative(height, out=height, where=height >= max_height)
        if number:
            nearest = np.minimum(np.abs(height), np.abs(clearance))
            height = np.where(np.maximum(height, clearance) > 0, nearest, -nearest)
        clearance = height
    return clearance


def _with_points(xyz, supports, on):
    """Give each support the points, among those on any surface, that are nearest to it."""
    if not supports:
        return ()
    if len(supports) == 1:
        return (replace(supports[0], indices=on),)
    points = xyz[on]
    nearest = np.argmin([np.abs(plane.height(points)) for plane in supports], axis=0)
    return tuple(replace(plane, indices=on[nearest == k]) for k, plane in enumerate(supports))


def _crops(xyz, labels, clearance, params, up, camera) -> List[ObjectCrop]:
    """Turn a label a point (0 = none) into crops that pass the limits of size."""
    objects, axes = [], upright_axes(up)
    for indices in groups(labels):
        if len(indices) < params.min_points:
            continue
        least = RISE * params.surface_distance
        if clearance.take(indices).max() < least:
            continue  # bumps of the surface are no objects
        points = xyz.T.take(indices, axis=1).T
        whole = attached(points)
        if not whole.all():
            indices, points = indices[whole], points[whole]
        above = clearance.take(indices)
        if above.max() < (max(least, RISE * noise(points[::100])) if camera else least):
            continue
        box = upright_box(points, axes, _floor(points, above, up))
        if params.min_size <= box.size.max() <= params.max_size:
            objects.append(ObjectCrop(indices, box, up))
    return objects


def groups(labels: np.ndarray) -> List[np.ndarray]:
    """
    List the members of each label.

    :param labels: (N,) int, 0 = none.
    :return: (n,) int64 indices in ascending order, for each label that occurs.
    """
    chosen = np.flatnonzero(labels != 0)
    picked = labels.take(chosen)
    counts = np.bincount(picked)
    if len(counts) <= 2 ** 16:
        picked = picked.astype(np.uint16)  # numpy sorts these by radix
    members = chosen.take(np.argsort(picked, kind='stable'))
    return np.split(members, np.cumsum(counts[counts > 0])[:-1]) if len(chosen) else []


def _floor(points, clearance, up):
    """
    Give the height of the support that an object stands on, or inf.

    It stands there if its lowest point is near: within 3 cm or a fifth of the object's height.
    The bottom of what is seen from above at an angle, or over other things, is hidden.
    """
    heights = points @ up.astype(points.dtype)
    lowest = np.argmin(heights)
    reach = max(STANDING * (heights.max() - heights[lowest]), 0.03)
    return heights[lowest] - clearance[lowest] if clearance[lowest] < reach else np.inf
