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

from dataclasses import dataclass, field, replace
from typing import List, Optional, Tuple

import numpy as np
from scipy.spatial import cKDTree, ConvexHull

# Points of the cloud that are looked at; random triples of them, half of them close together:
# among so many nearest of every fourth point.
SAMPLE, TRIES, NEIGHBOURS, EVERY = 1000, 160, 8, 4
SEED = 0
# Depth noise of structured light and stereo cameras at a metre; it grows with the square.
NOISE = 0.003
# A surface holds this share of the points at least.
LEAST_SHARE = 0.025
# Share of its points that may be seen through a surface; what counts as stray and as its rim,
# in standard deviations.
SEEN_THROUGH, TRIM, MARGIN = 0.1, 2.5, 0.1
# Surfaces seen at a flatter angle are not seen.
GRAZING = np.sin(np.radians(3.0))
# Cosines between normal and up: known, guessed, of the first surface, and of walls.
MAX_TILT, LOWEST_VIEW = np.cos(np.radians(15.0)), np.cos(np.radians(95.0))
PARALLEL, UPRIGHT = np.cos(np.radians(6.0)), np.sin(np.radians(15.0))
# A slice through clutter is as thick as the search allows; a wall is thinner, by this share.
PEAKED = 0.4
# A careful search looks at so many best planes again: among how many points around each point
# of the plane what share has to lie on it, too.
SHORTLIST, AROUND, SOLID = 20, 8, 0.4


@dataclass(frozen=True)
class Plane:
    """
    A surface: ``normal . x = offset``.

    The normal (3,) is a unit vector, towards up for a support; ``indices`` (n,) int64 are the
    points of the cloud that lie on it.
    """

    normal: np.ndarray
    offset: float
    indices: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def height(self, points: np.ndarray) -> np.ndarray:
        """Give the signed distance of (n, 3) points, positive above the surface."""
        return points @ self.normal.astype(points.dtype) - points.dtype.type(self.offset)


def viewing_axis(points: np.ndarray) -> int:
    """
    Tell camera frames from others.

    :param points: (n, 3) finite points, n >= 1.
    :return: 1 for a camera that looks along +z, -1 along -z, 0 for any other frame.
    """
    ahead = points[:, 2] / np.maximum(np.linalg.norm(points, axis=1), 1e-9)
    middle = np.median(ahead)
    forward = np.abs(middle) > 0.8 and np.mean(ahead * np.sign(middle) > 0.5) > 0.95
    return int(np.sign(middle)) if forward else 0


def guess_up(points: np.ndarray) -> np.ndarray:
    """
    Guess roughly which way is up from how the frame lies to the view.

    Cameras look along +z with y down (REP 103 optical frame) or along -z with y up (graphics);
    everything else is taken for a body frame with z up.

    :param points: (n, 3) finite points seen from the origin, n >= 1.
    :return: (3,) unit vector, right to within the tilt of a camera.
    """
    axis = viewing_axis(points)
    return np.array([0.0, -axis, 0.0]) if axis else np.array([0.0, 0.0, 1.0])


def noise(points: np.ndarray) -> float:
    """Tell how far (n, 3) points, n >= 1, may lie off what a depth camera saw, metres."""
    return NOISE * float((points.mean(axis=0) ** 2).sum())


def find_surfaces(points: np.ndarray, distance: float, extent: float, count: int,
                  up: Optional[np.ndarray] = None,
                  careful: bool = False) -> Tuple[List[Plane], np.ndarray]:
    """
    Find the planes that can carry objects, and up.

    Seeded RANSAC (Fischler and Bolles 1981) on a sample, refitted. The first plane fixes up
    where it is not known; the further ones are parallel to it.

    :param points: (n, 3) finite points.
    :param distance: how far points of a plane may lie off it, metres.
    :param extent: a support is at least so wide in its narrower direction, metres.
    :param count: at most so many planes.
    :param up: (3,) unit vector if known.
    :param careful: look at more points, and do not count those whose neighbours are off the
        plane: for a floor that is a small part of the view, where slices through clutter hold
        as many points.
    :return: planes, the most important first, and up.
    """
    if not len(points):
        return [], np.array([0.0, 0.0, 1.0]) if up is None else up
    rng = np.random.default_rng(SEED)
    rest = everything = _sample(points, 2 * SAMPLE if careful else SAMPLE)
    guess, planes, camera = up is None, [], viewing_axis(rest) != 0
    up = guess_up(rest) if guess else up
    limit = LOWEST_VIEW if guess else MAX_TILT
    for _ in range(count + 2):
        if len(rest) < 3 or len(planes) == count:
            break
        around = cKDTree(rest).query(rest, min(AROUND, len(rest)))[1] if careful else None
        plane, near = _ransac(rest, distance, up, (limit, 1.1), rng, guess, around)
        if near.sum() < max(20, LEAST_SHARE * len(everything)):
            break
        # Only a camera that looks straight down sees its support face on, and then little else.
        facing = guess and plane.normal @ up < 0.25 and near.mean() < 0.5
        inliers = rest[near]
        # A camera cannot see a surface from below, nor one that passes through it.
        unseen = camera and -plane.offset < GRAZING * np.linalg.norm(inliers.mean(axis=0))
        if (not facing and not unseen and _extent(inliers) >= extent
                and _opaque(plane, inliers, everything, distance)):
            planes.append(plane)
            up, guess, limit = plane.normal if guess else up, False, PARALLEL
        rest = rest[~near]
    return planes, up


def find_walls(points: np.ndarray, distance: float, extent: float, count: int,
               up: np.ndarray, top: float) -> List[Plane]:
    """
    Find large upright planes: walls, doors and cupboards are no objects.

    :param points: (n, 3) finite points that are clear of the supports.
    :param distance: how far points of a wall may lie off it, metres.
    :param extent: a wall is at least so wide in its narrower direction, metres.
    :param count: so many upright planes are looked at.
    :param up: (3,) unit vector.
    :param top: walls rise to this height along up at least, metres.
    """
    rng = np.random.default_rng(SEED)
    rest, walls = _sample(points, SAMPLE), []
    least = max(20, LEAST_SHARE * len(rest))
    for _ in range(count):
        wall, near = _ransac(rest, distance, up, (-UPRIGHT, UPRIGHT), rng)
        if near.sum() < least:
            break
        inliers = rest[near]
        if (_extent(inliers) >= extent and _top(inliers, up) >= top
                and wall.height(inliers).std() < max(PEAKED * distance, noise(inliers))):
            walls.append(wall)
        rest = rest[~near]
    return walls


def is_wall(points: np.ndarray, distance: float, extent: float, up: np.ndarray, top: float
            ) -> bool:
    """
    Tell whether all points together are a piece of wall, or the face of a door or cupboard.

    :param points: (n, 3) finite points; the other parameters are those of :func:`find_walls`.
    """
    points = _sample(points, SAMPLE)
    if len(points) < 3 or _top(points, up) < top:
        return False
    spread, axes = np.linalg.eigh(np.cov(points.T))
    return bool(np.sqrt(max(spread[0], 0.0)) < max(distance, noise(points))
                and abs(axes[:, 0] @ up) < UPRIGHT and _extent(points) >= extent)


def _top(points, up):
    """Give the height along up that points rise to, a few stray ones left out."""
    return np.quantile(points @ up, 0.95)


def _sample(points, count):
    """Take evenly spread points, as float64."""
    return points[::max(1, len(points) // count)].astype(np.float64)


def _extent(points):
    """Give the narrower of the two widths of a flat set of points (as if evenly filled)."""
    spread = np.linalg.eigvalsh(np.cov(points.T))[1]
    return np.sqrt(12 * max(spread, 0.0))


def _opaque(plane, inliers, points, distance):
    """
    Tell whether a plane hides what is below it.

    Tops of things of equal height lie in a plane, too, but the support shows between them.
    """
    if plane.offset > -distance:  # the origin is not above it: not the place of the sensor
        return True
    center = inliers.mean(axis=0)
    widths, axes = np.linalg.eigh(np.cov(inliers.T))
    flat = (inliers - center) @ axes[:, 1:] / np.sqrt(widths[1:])
    try:
        hull = ConvexHull(flat[(flat ** 2).sum(axis=1) < TRIM ** 2]).equations
    except (RuntimeError, ValueError):  # qhull: flat or too few
        return True
    below = points[plane.height(points) < -2 * distance]
    crossing = below * (plane.offset / (below @ plane.normal))[:, None]
    crossing = (crossing - center) @ axes[:, 1:] / np.sqrt(widths[1:])
    inside = (crossing @ hull[:, :2].T + hull[:, 2] < -MARGIN).all(axis=1)
    return inside.sum() < SEEN_THROUGH * len(inliers)


def _ransac(points, distance, up, limits, rng, guess=False, around=None):
    """
    Find the plane with most points among random triples and refit it.

    ``limits`` bound the cosine between normal and up; with ``guess``, planes count the more the
    better they fit the guess of up; with ``around`` (n, k), the neighbours of each point, the
    more solid they are. Returns the plane and which points lie on it.
    """
    nothing = Plane(up, 0.0), np.zeros(len(points), bool)
    if len(points) < 3:
        return nothing
    a, b, c = points[_triples(points, rng)]
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals /= np.where(length > 1e-9, length, np.inf)[:, None]
    cosine = normals @ up
    # A camera that looks straight down tells up by the side from which it sees the surface.
    seen_from = -np.einsum('ij,ij->i', normals, a)
    normals *= np.sign(np.where(np.abs(cosine) < 0.2, seen_from, cosine))[:, None]
    cosine = normals @ up
    keep = (length > 1e-9) & (cosine > limits[0]) & (cosine < limits[1])
    if not keep.any():
        return nothing
    normals, cosine = normals[keep], cosine[keep]
    offsets = np.einsum('ij,ij->i', normals, a[keep])
    # Closer points count more (MSAC, Torr and Zisserman 2000), or a plane through table and
    # books would win over either.
    off = (points @ (normals.T / distance) - offsets / distance).astype(np.float32)
    votes = np.maximum(1 - off * off, 0)
    total = votes.sum(axis=0)
    if guess:
        total *= (total > LEAST_SHARE * len(points)) * (0.15 + np.maximum(cosine, 0)) ** 3
    best = np.argmax(total) if around is None else _most_solid(votes, total, around)
    plane, near = _refit(points, Plane(normals[best], offsets[best]), distance)
    if around is not None:
        near &= near[around].mean(axis=1) > 0.5
    return (plane, near) if limits[0] < plane.normal @ up < limits[1] else nothing


def _most_solid(votes, total, around):
    """Choose among the planes of most votes one whose points have neighbours on it."""
    first = np.argsort(-total, kind='stable')[:SHORTLIST]
    votes = votes[:, first]
    solid = votes * (votes[around].mean(axis=1) > SOLID)
    share = solid.sum(axis=0) / np.maximum(votes.sum(axis=0), 1e-9)
    return first[np.argmax(total[first] * share ** 2)]


def _triples(points, rng):
    """Draw (3, TRIES) indices, half of them close together (NAPSAC, Myatt et al. 2002)."""
    triples = rng.integers(0, len(points), (3, TRIES))
    near = _nearest(points, triples[0, ::2])
    picks = rng.integers(0, near.shape[1], (2, len(near)))
    triples[1:, ::2] = near[np.arange(len(near)), picks]
    return triples


def _nearest(points, chosen):
    """
    List points close to each chosen one: the nearest of every few, in ascending order.

    Those are as close, all in all, as so many times more of all points, and found sooner.
    """
    few = points[::EVERY].astype(np.float32)
    distance = np.einsum('ij,ij->i', few, few) - 2 * points[chosen].astype(np.float32) @ few.T
    count = min(NEIGHBOURS, len(few))
    return EVERY * np.sort(np.argpartition(distance, count - 1, axis=1)[:, :count], axis=1)


def _refit(points, plane, distance):
    """Fit the plane to the points on it; also return which they are."""
    for share in (1.0, 0.7, 0.5, 0.5):  # narrower, so that it settles on one of two near planes
        inliers = points[np.abs(plane.height(points)) < share * distance]
        if len(inliers) < 3:
            break
        center = inliers.mean(axis=0)
        inliers -= center
        normal = np.linalg.eigh(inliers.T @ inliers)[1][:, 0]
        normal = normal if normal @ plane.normal > 0 else -normal
        plane = replace(plane, normal=normal, offset=float(normal @ center))
    return plane, np.abs(plane.height(points)) < distance
