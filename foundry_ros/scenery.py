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

"""A table or a room set with things, and how it looks through a camera."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

from foundry_ros.camera import Camera, look_at, rasterise
from foundry_ros.shapes import Mesh, sample_object
from foundry_ros.shapes.mesh import assemble, Piece
from foundry_ros.shapes.solids import box, rotation, Solid
import numpy as np
from scipy.spatial import cKDTree

SUN = np.array([-0.8, -1.1, 2.4])
AMBIENT = 0.45
# So many arrangements are tried until this share of every thing can be seen, and so many places
# for a thing in each.
TRIALS, VISIBLE, PLACES = 40, 0.6, 120


@dataclass(frozen=True)
class Stage:
    """
    What a kind of scene looks like, in metres and degrees.

    ``area`` half edges of where things may stand, ``gap`` between them, ``target`` of the
    camera, its ``distance``, ``elevation`` and ``sweep`` of azimuth (from ... to).
    """

    area: Tuple[float, float]
    gap: float
    target: Tuple[float, float, float]
    distance: Tuple[float, float]
    elevation: Tuple[float, float]
    sweep: float
    classes: Tuple[str, ...]


STAGES = {
    'tabletop': Stage((.46, .30), .03, (0, .03, .07), (1.02, 1.15), (30, 42), 24,
                      ('bottle', 'bowl', 'box', 'can', 'cup', 'flower_pot', 'glasses', 'keyboard',
                       'lamp', 'laptop', 'monitor', 'plant', 'plier', 'teddy', 'vase')),
    'room': Stage((1.9, 1.5), .12, (0, .1, .45), (3.6, 4.0), (20, 28), 24,
                  ('bed', 'bookshelf', 'chair', 'cone', 'night_stand', 'person', 'sofa', 'stool',
                   'table'))}


@dataclass(frozen=True)
class Thing:
    """One thing in the world: its class, its mesh, and its pose (4, 4), mesh to world."""

    name: str
    mesh: Mesh
    pose: np.ndarray

    @property
    def vertices(self) -> np.ndarray:
        """Place its corners (V, 3) in the world."""
        return self.mesh.vertices @ self.pose[:3, :3].T + self.pose[:3, 3]


@dataclass(frozen=True)
class View:
    """
    What a camera's pixels show, row by row, N = height * width.

    ``depth`` (N,) inf where nothing is, ``thing`` (N,) index or -1, ``part`` (N,) index into the
    thing's ``part_names`` or -1, ``incidence`` (N,) cosine to the surface, ``rgb`` (N, 3) uint8,
    ``alone`` for each thing the pixels that it would have if nothing stood before it.
    """

    depth: np.ndarray
    thing: np.ndarray
    part: np.ndarray
    incidence: np.ndarray
    rgb: np.ndarray
    alone: np.ndarray


class Scenery:
    """Things on a stage; z = 0 is what they stand on."""

    def __init__(self, kind: str, classes: Sequence[str], rng: np.random.Generator):
        """
        Draw things and set them up so that each can be seen from the middle of the camera's way.

        :param kind: a name in ``STAGES``.
        :param classes: one name for each thing.
        """
        self.stage = STAGES[kind]
        self.backdrop = table_and_floor(rng) if kind == 'tabletop' else floor_and_walls(rng)
        self._distance = rng.uniform(*self.stage.distance)
        self._elevation = rng.uniform(*self.stage.elevation)
        meshes = [(name, sample_object(name, rng)) for name in classes]
        coarse = Camera(160, 120, 131.25, 131.25, 79.5, 59.5)
        self.things, best = (), (0, -1.0)
        for _ in range(TRIALS):
            things = arrange(meshes, self.stage, rng)
            merit = len(things), self._worst_visibility(things, coarse)
            if merit > best:
                self.things, best = tuple(things), merit
            if best >= (len(meshes), VISIBLE):
                break
        self._light, self._lit = self._shine()

    def _worst_visibility(self, things, camera):
        """Return the least share of a thing that is inside the picture and not hidden."""
        pose = self.pose(0.5)
        _, thing, _, alone = self._cast(things, pose, camera)
        shown = np.bincount(thing[thing >= 0], minlength=len(things)) / np.maximum(alone, 1)
        inside = [np.mean(camera.pixels((t.vertices - pose[:3, 3]) @ pose[:3, :3]) >= 0)
                  for t in things]
        return float(min(np.minimum(shown, np.square(inside)), default=0))

    def pose(self, progress: float) -> np.ndarray:
        """Place the camera, 0 <= progress <= 1 along its way; (4, 4), optical frame to world."""
        azimuth = np.radians(-90 + self.stage.sweep * (progress - 0.5))
        elevation = np.radians(self._elevation + 3 * np.sin(2.5 * progress))
        way = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                        np.sin(elevation)])
        target = np.array(self.stage.target)
        return look_at(target + self._distance * way, target)

    def _cast(self, things, pose, camera):
        """Return depth, thing (-1 = backdrop) and face of each pixel, and pixels alone."""
        n = camera.width * camera.height
        depth, thing, hit = np.full(n, np.inf), np.full(n, -1), np.full(n, -1)
        alone = np.zeros(len(things), np.int64)
        world = [(-1, self.backdrop.vertices, self.backdrop.faces)]
        world += [(i, t.vertices, t.mesh.faces) for i, t in enumerate(things)]
        for index, vertices, faces in world:
            pixel, z, face = rasterise((vertices - pose[:3, 3]) @ pose[:3, :3], faces, camera)
            if index >= 0:
                alone[index] = len(pixel)
            nearer = z < depth[pixel]
            pixel = pixel[nearer]
            depth[pixel], thing[pixel], hit[pixel] = z[nearer], index, face[nearer]
        return depth, thing, hit, alone

    def _shine(self):
        """Render the depth that the lamp sees, for shadows."""
        lamp = Camera(512, 512, 560, 560, 255.5, 255.5)
        scale = self._distance * 1.15
        pose = look_at(SUN * scale / np.linalg.norm(SUN) * 1.6, np.zeros(3))
        return (lamp, pose), self._cast(self.things, pose, lamp)[0]

    def view(self, pose: np.ndarray, camera: Camera) -> View:
        """Render what a camera at this pose sees."""
        depth, thing, hit, alone = self._cast(self.things, pose, camera)
        part = np.full(len(depth), -1)
        normal, color = np.zeros((len(depth), 3)), np.zeros((len(depth), 3))
        for index in range(-1, len(self.things)):
            mesh = self.things[index].mesh if index >= 0 else self.backdrop
            vertices = self.things[index].vertices if index >= 0 else self.backdrop.vertices
            mine = np.flatnonzero((thing == index) & (hit >= 0))
            face = hit[mine]
            a, b, c = vertices[mesh.faces].transpose(1, 0, 2)
            across = np.cross(b - a, c - a)
            across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-12
            part[mine], normal[mine], color[mine] = (mesh.face_part[face], across[face],
                                                     mesh.face_color[face])
        ray = camera.points(np.ones((camera.height, camera.width))).astype(float)
        shown = np.isfinite(depth)
        world = np.where(shown, depth, 0)[:, None] * ray @ pose[:3, :3].T + pose[:3, 3]
        ray = ray / np.linalg.norm(ray, axis=1, keepdims=True) @ pose[:3, :3].T
        toward = -np.sign(np.sum(normal * ray, axis=1, keepdims=True)) * normal
        incidence = -np.sum(toward * ray, axis=1)
        rgb = np.where(shown[:, None], color * self._shade(world, toward)[:, None], 0)
        return View(depth, thing, part, incidence, np.clip(rgb, 0, 255).astype(np.uint8), alone)

    def _shade(self, world, normal):
        """Light points of the world: from the sky, and from a lamp that casts shadows."""
        lamp, pose = self._light
        toward = pose[:3, 3] - world
        direct = np.sum(normal * toward, axis=1) / np.linalg.norm(toward, axis=1)
        local = (world - pose[:3, 3]) @ pose[:3, :3]
        reached = np.zeros(len(world))
        for shift in ((0, 0), (.8, .5), (-.5, .8), (-.8, -.5), (.5, -.8)):
            moved = local + np.array([*shift, 0]) * local[:, 2:] / lamp.fx
            pixel = lamp.pixels(moved)
            reached += (self._lit[pixel] > local[:, 2] - 0.012 * self._distance) | (pixel < 0)
        sky = AMBIENT * (0.75 + 0.25 * normal[:, 2])
        return sky + 0.62 * np.clip(direct, 0, 1) * reached / 5


def arrange(meshes, stage: Stage, rng: np.random.Generator) -> List[Thing]:
    """
    Set meshes up at random, turned at random, without touching; tall ones rather behind.

    :param meshes: (class, mesh) each; the widest come first, and when one finds no place in many
        trials the rest is left out.
    """
    things, taken = [None] * len(meshes), np.full((1, 2), 1e3)
    ranks = np.argsort([-mesh.size[:2].prod() for _, mesh in meshes])
    for i in ranks:
        name, mesh = meshes[i]
        footprint = mesh.sample(600, rng)[0][:, :2].astype(float)
        room, tree = np.array(stage.area), cKDTree(taken)
        for _ in range(PLACES):
            x, y = rng.uniform(-room, room)
            y += np.clip(mesh.size[2] / room[1] - 0.5, 0, 1) * (room[1] - y) * 0.8
            turn = rotation('z', rng.uniform(0, 2 * np.pi))
            points = footprint @ turn[:2, :2].T + (x, y)
            over = np.abs(points).max(axis=0) > room + (.08, .08)
            if over.any() or np.isfinite(tree.query(points, distance_upper_bound=stage.gap)[0]
                                         ).any():
                continue
            pose = np.eye(4)
            pose[:3, :3], pose[:2, 3] = turn, (x, y)
            things[i] = Thing(name, mesh, pose)
            taken = np.concatenate([taken, points])
            break
        if things[i] is None:
            break
    return [thing for thing in things if thing is not None]


def table_and_floor(rng) -> Mesh:
    """Draw a table whose top is at z = 0, and the floor below it."""
    x, y = rng.uniform(1.25, 1.45), rng.uniform(.82, .92)
    wood = ((186, 150, 112), (160, 124, 92), (206, 196, 182), (142, 130, 118))[rng.integers(4)]
    pieces = [Piece('', box(x, y, .035).at(0, 0, -.035), wood)]
    pieces += [Piece('', box(.06, .06, .7).at(i * (x / 2 - .06), j * (y / 2 - .06), -.735), wood)
               for i in (-1, 1) for j in (-1, 1)]
    return _in_place([*pieces, Piece('', _tiles(4.0, .25).at(0, 0, -.735), (128, 132, 138))])


def floor_and_walls(rng) -> Mesh:
    """Draw a floor at z = 0 and three walls."""
    tone = ((150, 132, 112), (132, 136, 142), (168, 158, 146))[rng.integers(3)]
    wall = _tiles(3.2, .4)
    return _in_place([Piece('', _tiles(3.2, .4), tone),
                      Piece('', wall.turned('x', 90).at(0, 3.2, 3.2), (204, 202, 196)),
                      *(Piece('', wall.turned('y', 90).at(side, 0, 3.2), (196, 198, 200))
                        for side in (-3.2, 3.2))])


def _tiles(half, edge):
    """Build a square of tiles in the plane z = 0; tiles behind the camera can be left out."""
    ticks = np.arange(-half, half + edge / 2, edge)
    n = len(ticks)
    x, y = np.meshgrid(ticks, ticks)
    i = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    quads = np.stack([i, i + 1, i + n + 1, i + n], axis=1)
    return Solid(np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3),
                 np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]))


def _in_place(pieces) -> Mesh:
    """Assemble, without standing it on z = 0."""
    mesh = assemble(pieces)
    shift = mesh.vertices[0] - pieces[0].solid.vertices[0]
    return Mesh(mesh.vertices - shift, mesh.faces, mesh.face_part, mesh.face_color,
                mesh.part_names)
