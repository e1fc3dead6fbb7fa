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

"""Support surfaces: the planes that objects stand on, and which way is up."""

from dataclasses import dataclass, field
from typing import List, Optional, Tuple

import numpy as np

SAMPLE = 2000
TRIES = 200
SEED = 0
MAX_TILT = np.cos(np.radians(20.0))
PARALLEL = np.cos(np.radians(8.0))


@dataclass(frozen=True)
class Plane:
    """
    A support surface: ``normal . x = offset``, the normal (3,) unit and towards up.

    ``indices`` (n,) int64 are the points of the cloud that lie on it.
    """

    normal: np.ndarray
    offset: float
    indices: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def height(self, points: np.ndarray) -> np.ndarray:
        """Give the signed distance of (n, 3) points, positive above the surface."""
        return points @ self.normal.astype(points.dtype) - points.dtype.type(self.offset)


def guess_up(points: np.ndarray) -> np.ndarray:
    """
    Guess roughly which way is up from how the frame lies to the view.

    Cameras look along +z with y down (REP 103 optical frame) or along -z with y up (graphics);
    everything else is taken for a body frame with z up.

    :param points: (n, 3) finite points seen from the origin.
    :return: (3,) unit vector, right to within the tilt of a camera.
    """
    ahead = points[:, 2] / np.maximum(np.linalg.norm(points, axis=1), 1e-9)
    if np.mean(ahead > 0.5) > 0.95:
        return np.array([0.0, -1.0, 0.0])
    if np.mean(ahead < -0.5) > 0.95:
        return np.array([0.0, 1.0, 0.0])
    return np.array([0.0, 0.0, 1.0])


def find_surfaces(points: np.ndarray, distance: float, count: int,
                  up: Optional[np.ndarray] = None) -> Tuple[List[Plane], np.ndarray]:
    """
    Find the largest planes that can carry objects.

    Seeded RANSAC (Fischler and Bolles 1981) on a sample, refitted; the first plane found fixes
    up, the further ones are parallel to it.

    :param points: (n, 3) finite points.
    :param distance: how far points of a plane may lie off it, metres.
    :param count: at most so many planes.
    :param up: (3,) unit vector if known.
    :return: planes, the largest first, and up.
    """
    rng = np.random.default_rng(SEED)
    prior = guess_up(points) if up is None and len(points) else up
    prior = np.array([0.0, 0.0, 1.0]) if prior is None else prior
    limit = MAX_TILT if up is not None else np.cos(np.radians(80.0))
    rest = points[::max(1, len(points) // SAMPLE)].astype(np.float64)
    least = max(30, len(rest) // 20)
    planes, found_up = [], up
    for _ in range(count):
        plane = _ransac(rest, distance, prior, limit, rng)
        if plane is None:
            break
        near = np.abs(plane.height(rest)) < distance
        if near.sum() < least:
            break
        planes.append(plane)
        rest = rest[~near]
        if found_up is None:
            found_up = plane.normal
        prior, limit = found_up, PARALLEL
    return planes, prior if found_up is None else found_up


def _ransac(points, distance, prior, limit, rng):
    """Return the plane with most points among random triples, refitted, or None."""
    if len(points) < 3:
        return None
    a, b, c = points[rng.integers(0, len(points), (3, TRIES))]
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals /= np.where(length > 1e-9, length, np.inf)[:, None]
    normals *= np.where(normals @ prior < 0, -1.0, 1.0)[:, None]
    keep = normals @ prior > limit
    if not keep.any():
        return None
    normals, anchors = normals[keep], a[keep]
    offsets = np.einsum('ij,ij->i', normals, anchors)
    votes = (np.abs(points @ normals.T - offsets) < distance).sum(axis=0)
    best = np.argmax(votes)
    normal, offset = normals[best], offsets[best]
    for _ in range(3):
        near = points[np.abs(points @ normal - offset) < distance]
        if len(near) < 3:
            return None
        center = near.mean(axis=0)
        normal = np.linalg.svd(near - center, full_matrices=False)[2][2]
        normal = normal if normal @ prior > 0 else -normal
        offset = float(normal @ center)
    return Plane(normal, offset)
