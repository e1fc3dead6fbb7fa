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

"""A depth camera: from triangles to exact depth, from that to what a real sensor measures."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

NEAR = 0.05
PAIRS = 2_000_000
# 1.7 mm at 1 m and 7 mm at 2 m with the quantisation, as measured by Nguyen et al. (2012).
DISPARITY_NOISE = 0.06


@dataclass(frozen=True)
class Camera:
    """
    A pinhole camera with a projector beside it, by default like the first Kinect.

    ``fx``, ``fy``, ``cx``, ``cy`` in pixels; ``baseline`` from camera to projector (to the
    right), ``least`` and ``most`` depth that it measures, in metres.
    """

    width: int = 640
    height: int = 480
    fx: float = 525.0
    fy: float = 525.0
    cx: float = 319.5
    cy: float = 239.5
    baseline: float = 0.075
    least: float = 0.45
    most: float = 6.0

    def points(self, depth: np.ndarray) -> np.ndarray:
        """
        Turn a depth image into points in the optical frame (x right, y down, z forward).

        :param depth: (height, width) metres, NaN where nothing is seen.
        :return: (height * width, 3) float32, row by row.
        """
        v, u = np.mgrid[:self.height, :self.width]
        xyz = np.stack([(u - self.cx) / self.fx * depth, (v - self.cy) / self.fy * depth, depth],
                       axis=-1)
        return xyz.reshape(-1, 3).astype(np.float32)

    def pixels(self, xyz: np.ndarray) -> np.ndarray:
        """
        Find the pixels that points fall on.

        :param xyz: (n, 3) in the optical frame, in front of the camera.
        :return: (n,) int64 indices, row by row; -1 outside the image.
        """
        u = np.rint(xyz[:, 0] / xyz[:, 2] * self.fx + self.cx).astype(np.int64)
        v = np.rint(xyz[:, 1] / xyz[:, 2] * self.fy + self.cy).astype(np.int64)
        inside = (u >= 0) & (u < self.width) & (v >= 0) & (v < self.height)
        return np.where(inside, v * self.width + u, -1)


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """
    Aim a camera; the picture's upper edge is up (+z).

    :param eye: (3,) place of the camera; :param target: (3,) what it looks at.
    :return: (4, 4) pose: optical frame to world.
    """
    forward = np.asarray(target, float) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack([right, np.cross(forward, right), forward, eye])
    return pose


def rasterise(vertices: np.ndarray, faces: np.ndarray, camera: Camera
              ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Find what each pixel's ray meets first.

    :param vertices: (V, 3) in the optical frame; :param faces: (F, 3), either way round;
        those that come nearer to the camera's plane than 5 cm are left out.
    :return: the pixels that are hit (n,) int64, each once, their depth (n,) and face (n,).
    """
    kept = np.flatnonzero(vertices[faces, 2].min(axis=1) > NEAR)
    corners = vertices[faces[kept]]
    u = corners[..., 0] / corners[..., 2] * camera.fx + camera.cx
    v = corners[..., 1] / corners[..., 2] * camera.fy + camera.cy
    left, right = _span(u, camera.width)
    top, bottom = _span(v, camera.height)
    area = (u[:, 1] - u[:, 0]) * (v[:, 2] - v[:, 0]) - (u[:, 2] - u[:, 0]) * (v[:, 1] - v[:, 0])
    counts = np.where(np.abs(area) > 1e-9, (right - left) * (bottom - top), 0)
    bary = _barycentric(u, v, np.where(np.abs(area) > 1e-9, area, 1))
    nearness = np.einsum('fk,fkc->fc', 1 / corners[..., 2], bary)
    hits = []
    for chunk in _chunks(counts):
        face = np.repeat(chunk, counts[chunk])
        step = np.arange(len(face)) - np.repeat(np.cumsum(counts[chunk]) - counts[chunk],
                                                counts[chunk])
        wide = (right - left)[face]
        x, y = left[face] + step % wide, top[face] + step // wide
        inside = np.ones(len(face), bool)
        for k in range(3):
            a, b, c = bary[:, k].T
            inside &= a[face] * x + b[face] * y + c[face] >= 0
        face, x, y = face[inside], x[inside], y[inside]
        a, b, c = nearness.T
        hits.append((y * camera.width + x, 1 / (a[face] * x + b[face] * y + c[face]), face))
    pixel, depth, face = (np.concatenate(h) for h in zip(*hits)) if hits else (
        np.zeros(0, int), np.zeros(0), np.zeros(0, int))
    order = np.lexsort((depth, pixel))
    first = order[np.flatnonzero(np.diff(pixel[order], prepend=-1))]
    return pixel[first], depth[first], kept[face[first]]


def _span(values, size):
    """Return first and one past the last pixel between the least and largest of each row."""
    low = np.clip(np.ceil(values.min(axis=1)), 0, size).astype(np.int64)
    return low, np.maximum(np.clip(np.floor(values.max(axis=1)) + 1, 0, size).astype(np.int64),
                           low)


def _barycentric(u, v, area):
    """Return (F, 3, 3): the coefficients of x, y and 1 of each corner's weight."""
    i, j = [1, 2, 0], [2, 0, 1]
    terms = np.stack([v[:, i] - v[:, j], u[:, j] - u[:, i], u[:, i] * v[:, j] - u[:, j] * v[:, i]],
                     axis=-1)
    return terms / area[:, None, None]


def _chunks(counts):
    """Split the faces into lists of about as many candidate pixels as fit into memory."""
    faces = np.flatnonzero(counts)
    if not len(faces):
        return []
    batch = np.cumsum(counts[faces]) // PAIRS
    return np.split(faces, np.flatnonzero(np.diff(batch)) + 1)


def sense(depth: np.ndarray, incidence: np.ndarray, camera: Camera, rng: np.random.Generator
          ) -> Tuple[np.ndarray, np.ndarray]:
    """
    Turn exact depth into what a structured-light camera measures.

    The order of a real one: matching blurs outlines (each pixel takes a neighbour's ray; Handa
    et al. 2014), the projector's light does not reach everything, slanting and edge pixels find
    no match or one between the surfaces, and disparity comes with correlated noise and in steps
    of an eighth of a pixel, so that errors grow with the square of depth (Khoshelham 2011).

    :param depth: (height, width) metres, inf where nothing is.
    :param incidence: (height, width), cosine between ray and surface normal.
    :return: (height, width) float64, NaN where nothing is measured; and (height, width) int64,
        the pixel whose ray each one took, -1 where it measured no surface.
    """
    shape = depth.shape
    v, u = np.mgrid[:shape[0], :shape[1]]
    shake = np.rint(rng.normal(0, 0.45, (2, *shape))).astype(int)
    v = np.clip(v + shake[0], 0, shape[0] - 1)
    u = np.clip(u + shake[1], 0, shape[1] - 1)
    lit = ~_shadow(depth, camera)
    focal = camera.fx * camera.baseline
    with np.errstate(divide='ignore', invalid='ignore'):
        disparity = focal / depth
        low, high = minimum_filter(disparity, 3), maximum_filter(disparity, 3)
        edge = (high - low) > 1.0
        disparity, incidence, lit = disparity[v, u], incidence[v, u], lit[v, u]
        between = edge & (rng.random(shape) < 0.03)
        disparity = np.where(between, low + (high - low) * rng.random(shape), disparity)
        lost = edge & (rng.random(shape) < 0.25)
        lost |= rng.random(shape) > 12 * (incidence - 0.06)
        disparity += DISPARITY_NOISE * 2.5 * gaussian_filter(rng.normal(0, 1, shape), 0.7)
        measured = focal / (np.rint(disparity * 8) / 8)
    good = lit & ~lost & (measured > camera.least) & (measured < camera.most)
    source = np.where(good & ~between, v * camera.width + u, -1)
    return np.where(good, measured, np.nan), source


def _shadow(depth, camera):
    """Tell which pixels the projector, to the right of the camera, does not reach."""
    with np.errstate(divide='ignore'):
        column = np.arange(camera.width) - camera.fx * camera.baseline / depth
    nearest = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    shadow = np.zeros(depth.shape, bool)
    shadow[:, :-1] = nearest[:, 1:] < column[:, :-1] - 0.5
    return shadow
