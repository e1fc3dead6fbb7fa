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

"""What a sensor sees of a complete shape: one side, noisy, partly hidden behind something."""

import numpy as np
from scipy.spatial import ConvexHull, QhullError

ELEVATION = (15.0, 60.0)  # degrees above the horizon
DISTANCE = 2.5            # radii from the centroid
NOISE = 0.005             # radii, standard deviation along the ray
HIDDEN = 0.30             # largest share that something in front hides


def visible_points(points: np.ndarray, camera: np.ndarray, reach: float = 30.0) -> np.ndarray:
    """
    Find the points that a camera sees: hidden point removal (Katz et al. 2007).

    :param points: (n, 3). :param camera: (3,).
    :param reach: radius of the spherical flip, in largest distances; larger keeps more.
    :return: sorted indices of the visible points.
    """
    ray = points - camera
    length = np.linalg.norm(ray, axis=1, keepdims=True)
    flipped = ray + 2 * (reach * length.max() - length) * ray / length
    try:
        hull = ConvexHull(np.vstack([flipped, np.zeros(3)]))
    except QhullError:  # a flat cloud seen edge on has no hull and hides nothing
        return np.arange(len(points))
    seen = np.unique(hull.vertices)
    return seen[seen < len(points)]


def single_view(points: np.ndarray, rng: np.random.Generator, reach: float = 30.0,
                hard: bool = False):
    """
    Look at an upright shape in the unit sphere from a random side.

    :param points: (n, 3), +z up.
    :param hard: as worse sensors see it (training): up to five times the noise, and now and then
        something in front hides a blob instead of one side.
    :return: (m, 3) float64 noisy points, neither centred nor scaled, and the indices (m,) into
        ``points`` that they come from.
    """
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation = np.radians(rng.uniform(*ELEVATION))
    towards = np.array([np.cos(elevation) * np.cos(azimuth),
                        np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    camera = points.mean(axis=0) + DISTANCE * towards
    index = visible_points(points, camera, reach)
    if rng.random() < 0.5:
        blob = hard and rng.random() < 0.5
        index = (_behind_blob if blob else _behind_something)(points, index, towards, rng)
    noise = NOISE * np.exp(rng.uniform(np.log(0.6), np.log(5))) if hard else NOISE
    ray = points[index] - camera
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    return points[index] + ray * rng.normal(0, noise, (len(index), 1)), index


def _behind_something(points, index, towards, rng):
    """Hide up to 30 % of the points on one side of a random line across the picture."""
    across = np.cross(towards, rng.normal(size=3))
    order = np.argsort(points[index] @ across)
    keep = max(1, int(np.ceil(len(index) * (1 - rng.uniform(0, HIDDEN)))))
    return np.sort(index[order[:keep]])


def _behind_blob(points, index, towards, rng):
    """Hide up to 30 % of the points around one of them, as seen from the camera."""
    flat = points[index] - np.outer(points[index] @ towards, towards)
    order = np.argsort(-np.linalg.norm(flat - flat[rng.integers(len(flat))], axis=1))
    keep = max(1, int(np.ceil(len(index) * (1 - rng.uniform(0, HIDDEN)))))
    return np.sort(index[order[:keep]])
