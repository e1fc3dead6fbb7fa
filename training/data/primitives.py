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

"""
Plain things that every table has and no set holds: packages, tins, bowls, and slabs such as books.

They are surfaces in a few lines and have nothing to do with the simulator's shapes, which
recordings to measure on are made of.
"""

import numpy as np

LYING = 0.35  # share of tins and bowls that do not stand as one expects


def box(n: int, rng: np.random.Generator, edges=None) -> np.ndarray:
    """Draw n points (n, 3) of a cuboid, by default of any but very flat proportions."""
    edges = np.exp(rng.uniform(-1.2, 0, 3)) if edges is None else np.asarray(edges)
    area = np.array([edges[1] * edges[2], edges[0] * edges[2], edges[0] * edges[1]])
    axis = rng.choice(3, n, p=area / area.sum())
    points = rng.uniform(-0.5, 0.5, (n, 3))
    points[np.arange(n), axis] = rng.choice([-0.5, 0.5], n)
    return points * edges


def slab(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a lying book or disc case: nothing that has a name here, and easily mistaken."""
    return box(n, rng, [1.0, rng.uniform(0.6, 0.95), rng.uniform(0.06, 0.22)])


def can(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a closed cylinder, from flat tins to tall tubes."""
    height = np.exp(rng.uniform(np.log(0.5), np.log(6)))  # in radii
    side = height / (height + 1)
    on_side = rng.random(n) < side
    radius = np.where(on_side, 1, np.sqrt(rng.random(n)))
    z = np.where(on_side, rng.uniform(0, height, n), rng.choice([0, height], n))
    return _laid(_turned(radius, z, rng), rng)


def bowl(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an open vessel wider than high, from plates with a rim to straight pots."""
    height, power = rng.uniform(0.45, 1.3), rng.uniform(0.12, 0.7)
    z = rng.random(4 * n)
    radius = z ** power
    keep = rng.random(4 * n) < radius  # so that area gets its share of the points
    radius, z = radius[keep][:n], z[keep][:n] * height
    inside = rng.random(len(z)) < 0.5
    points = _turned(radius * np.where(inside, 0.94, 1.0), z + 0.04 * inside, rng)
    if rng.random() < LYING:
        points[:, 2] *= -1  # upside down
    return points


def _turned(radius, z, rng):
    """Turn a profile about the vertical."""
    angle = rng.uniform(0, 2 * np.pi, len(z))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def _laid(points, rng):
    """Lay some on their side."""
    return points[:, [2, 0, 1]] if rng.random() < LYING else points


MAKERS = {'box': box, 'can': can, 'bowl': bowl, 'slab': slab}
