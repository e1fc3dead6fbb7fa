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

"""A thing as a labelled mesh."""

from dataclasses import dataclass
from typing import NamedTuple, Sequence, Tuple

from foundry_ros.shapes.solids import Solid
import numpy as np

NO_PART = -1


class Piece(NamedTuple):
    """A solid of a thing, the part it belongs to ('' = none) and its colour (r, g, b)."""

    part: str
    solid: Solid
    color: Tuple[int, int, int]


@dataclass(frozen=True)
class Mesh:
    """
    A thing that stands on z = 0, centred in x and y, metres, z up.

    ``vertices`` (V, 3) float64, ``faces`` (F, 3) int64, ``face_part`` (F,) int64 into
    ``part_names`` (-1 = no part), ``face_color`` (F, 3) uint8.
    """

    vertices: np.ndarray
    faces: np.ndarray
    face_part: np.ndarray
    face_color: np.ndarray
    part_names: Tuple[str, ...]

    @property
    def size(self) -> np.ndarray:
        """Edges (3,) of the upright box around it."""
        return np.ptp(self.vertices, axis=0)

    def sample(self, n: int, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
        """
        Draw points evenly from the surface.

        :return: points (n, 3) float32 and their parts (n,) int64, indices into ``part_names``,
            -1 where the thing has no parts.
        """
        corners = self.vertices[self.faces]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        face = rng.choice(len(areas), n, p=areas / areas.sum())
        u, v = rng.random((2, n, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        points = a[face] + u * (b - a)[face] + v * (c - a)[face]
        return points.astype(np.float32), self.face_part[face]


def assemble(pieces: Sequence[Piece]) -> Mesh:
    """Put pieces together, stand the whole on z = 0 and centre it in x and y."""
    names = tuple(sorted({piece.part for piece in pieces if piece.part}))
    vertices, faces, parts, colors, start = [], [], [], [], 0
    for part, solid, color in pieces:
        vertices.append(solid.vertices)
        faces.append(solid.faces + start)
        parts.append(np.full(len(solid.faces), names.index(part) if part else NO_PART))
        colors.append(np.full((len(solid.faces), 3), color, np.uint8))
        start += len(solid.vertices)
    vertices = np.concatenate(vertices)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    vertices = vertices - [*(low + high)[:2] / 2, low[2]]
    return Mesh(vertices, np.concatenate(faces), np.concatenate(parts), np.concatenate(colors),
                names)
