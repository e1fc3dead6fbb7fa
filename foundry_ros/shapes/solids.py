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

"""Solids that everyday things are put together from, as triangle meshes."""

from typing import NamedTuple, Sequence

import numpy as np


class Solid(NamedTuple):
    """A triangle mesh: ``vertices`` (V, 3) float64 and ``faces`` (F, 3) int64."""

    vertices: np.ndarray
    faces: np.ndarray

    def at(self, x: float, y: float, z: float) -> 'Solid':
        """Move by x, y, z."""
        return Solid(self.vertices + (x, y, z), self.faces)

    def scaled(self, x: float, y: float, z: float) -> 'Solid':
        """Stretch along the axes."""
        return Solid(self.vertices * (x, y, z), self.faces)

    def turned(self, axis: str, degrees: float) -> 'Solid':
        """Turn about an axis ('x', 'y' or 'z') through the origin, right-handed."""
        return Solid(self.vertices @ rotation(axis, np.radians(degrees)).T, self.faces)


def rotation(axis: str, angle: float) -> np.ndarray:
    """
    Give the matrix of a right-handed turn.

    :param axis: 'x', 'y' or 'z'.
    :param angle: radians.
    :return: (3, 3), for column vectors.
    """
    c, s = np.cos(angle), np.sin(angle)
    i, j = {'x': (1, 2), 'y': (2, 0), 'z': (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return matrix


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """
    Triangulate a grid of vertices whose columns close to a ring.

    :return: (2 * (rows - 1) * columns, 3) indices into the rows * columns vertices.
    """
    row, column = np.mgrid[:rows - 1, :columns]
    a = row * columns + column
    b = row * columns + (column + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], axis=-1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def box(x: float, y: float, z: float) -> Solid:
    """Build a box of these edges, standing on z = 0, centred in x and y."""
    corners = np.array([[-.5, -.5], [.5, -.5], [.5, .5], [-.5, .5]])
    return prism(corners * (x, y), z)


def prism(outline: np.ndarray, height: float, top: float = 1.0) -> Solid:
    """
    Extrude an outline upwards from z = 0.

    :param outline: (k, 2), star-shaped about its mean, anticlockwise.
    :param top: scale of the upper end (tapered where it is not 1).
    """
    outline = np.asarray(outline, float)
    k = len(outline)
    centre = outline.mean(axis=0)
    rings = [np.tile(centre, (k, 1)), outline, (outline - centre) * top + centre,
             np.tile(centre, (k, 1))]
    levels = np.repeat([0, 0, height, height], k)
    return Solid(np.column_stack([np.concatenate(rings), levels]), grid_faces(4, k))


def lathe(profile: Sequence, segments: int = 40) -> Solid:
    """
    Turn a profile about the z axis.

    :param profile: (k, 2) of radius and height; thick walls go up outside and down inside.
    """
    profile = np.asarray(profile, float)
    angle = np.arange(segments) * 2 * np.pi / segments
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    xy = profile[:, None, :1] * ring
    z = np.broadcast_to(profile[:, None, 1:], (*xy.shape[:2], 1))
    return Solid(np.concatenate([xy, z], axis=2).reshape(-1, 3),
                 grid_faces(len(profile), segments))


def disc(radius: float, height: float, segments: int = 40) -> Solid:
    """Build an upright cylinder that stands on z = 0."""
    return lathe([(0, 0), (radius, 0), (radius, height), (0, height)], segments)


def tube(path: Sequence, radius, segments: int = 10, flat: float = 1.0) -> Solid:
    """
    Sweep a circle, or an ellipse, along a path; the ends are closed.

    :param path: (k, 3).
    :param radius: one for the whole path or (k,).
    :param flat: the second half axis of the ellipse, relative to the radius; it lies along z
        where the path is horizontal.
    """
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.eye(3)[2 if np.abs(along[:, 2]).max() < 0.9 else 1]
    if np.abs(along @ helper).max() > 0.9:
        helper = np.array([0.3, 0.9, 0.1])
    side = np.cross(helper, along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    path, along, side = (np.concatenate([a[:1], a, a[-1:]]) for a in (path, along, side))
    radius = np.concatenate([[0], radius, [0]])
    other = np.cross(along, side) * flat
    angle = np.arange(segments)[:, None] * 2 * np.pi / segments
    ring = side[:, None] * np.cos(angle) + other[:, None] * np.sin(angle)
    return Solid((path[:, None] + radius[:, None, None] * ring).reshape(-1, 3),
                 grid_faces(len(path), segments))


def capsule(start: Sequence, end: Sequence, radius: float, tip: float = None) -> Solid:
    """Build a limb: a round rod from start to end, its radius going to ``tip`` at the end."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    tip = radius if tip is None else tip
    along = (end - start) / np.linalg.norm(end - start)
    turn = np.linspace(0.2, np.pi / 2, 4)
    path = [*(start - along * radius * np.cos(turn)[:, None]),
            *(end + along * tip * np.cos(turn[::-1])[:, None])]
    return tube(path, [*(radius * np.sin(turn)), *(tip * np.sin(turn[::-1]))], 14)


def ellipsoid(x: float, y: float, z: float, power: float = 1.0) -> Solid:
    """
    Build a superellipsoid about the origin.

    :param x: half axis, as y and z.
    :param power: 1 for an ellipsoid, towards 0 for a box (Barr 1981, both exponents alike).
    """
    def bent(values):
        return np.sign(values) * np.abs(values) ** power

    v = np.linspace(-np.pi / 2, np.pi / 2, 15)[:, None]
    u = np.arange(24) * 2 * np.pi / 24
    surface = np.stack([bent(np.cos(v)) * bent(np.cos(u)), bent(np.cos(v)) * bent(np.sin(u)),
                        bent(np.sin(v)) * np.ones_like(u)], axis=-1)
    return Solid(surface.reshape(-1, 3) * (x, y, z), grid_faces(15, 24))


def sheet(outline: np.ndarray, thickness: float) -> Solid:
    """Build a thin plate in the x-z plane from an outline in x and z, centred on y = 0."""
    return prism(np.asarray(outline, float), thickness).turned('x', 90).at(0, thickness / 2, 0)
