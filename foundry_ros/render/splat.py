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

"""Points to pixels: splats with a depth buffer, and light that shows their form."""

from typing import Tuple

from foundry_ros.normals import box_sum, image_normals
from foundry_ros.render.drawing import backdrop, Image
from foundry_ros.render.viewpoint import Viewpoint
import numpy as np
from scipy.spatial import cKDTree

WIDEST = 0.036  # of a point, share of the height of the picture
SWEEP = 2.5  # times as far as usual are the neighbours of some points in a sweep
SPARSE = 100_000  # points of a cloud, whose points are then never drawn very small
# Read as a pair: no depth (NaN) and no index (-1).
EMPTY = np.uint64(2**64 - 1)
LIGHT = np.array([-0.45, -0.75, -0.55]) / np.linalg.norm([-0.45, -0.75, -0.55])
RING = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
LEAST_STEP, NOISE, DEPTH_STRENGTH = 0.002, 2.5, 9.0


def splat(points: np.ndarray, view: Viewpoint, width: int) -> Tuple[np.ndarray, np.ndarray]:
    """
    Draw points as octagons, the nearest in front.

    :param points: (n, 3) finite.
    :param width: odd, pixels.
    :return: depth (height, width) float32, NaN where nothing is, and the point's index
        (height, width) int32, -1 where nothing is.
    """
    u, v, depth = view.project(points)
    columns, rows = view.size
    seen = np.flatnonzero((depth > 1e-3) & (u >= 0) & (u < columns) & (v >= 0) & (v < rows))
    seen = seen[np.argsort(-depth[seen], kind='stable')]
    # Depth above index in one number: positive floats are ordered like their bits.
    pairs = np.empty((len(seen), 2), '<u4')
    pairs[:, 0], pairs[:, 1] = seen, depth[seen].astype('<f4').view('<u4')
    buffer = np.full((rows, columns), EMPTY)
    buffer[v[seen].astype(int), u[seen].astype(int)] = pairs.view('<u8')[:, 0]
    for step in range(width // 2):
        buffer = _grown(buffer, diagonals=step % 2 == 0)
    parts = buffer.view('<u4').reshape(rows, columns, 2)
    return parts[..., 1].view('<f4'), parts[..., 0].view('<i4')


def _grown(buffer, diagonals):
    """Take the least of each cell and its four or eight neighbours."""
    result = buffer.copy()
    for axis in (0, 1):
        source = result.copy() if diagonals and axis else buffer
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        ahead, behind = tuple(ahead), tuple(behind)
        np.minimum(result[ahead], source[behind], out=result[ahead])
        np.minimum(result[behind], source[ahead], out=result[behind])
    return result


def splat_width(points: np.ndarray, view: Viewpoint) -> int:
    """
    Choose how wide points are drawn so that a surface looks closed.

    :param points: (n, 3) finite.
    :return: odd, pixels: a little more than lies between neighbours in the picture.
    """
    sample = points[::max(1, len(points) // 20000)]
    _, _, depth = view.project(sample)
    sample, depth = sample[depth > 1e-3], depth[depth > 1e-3]
    widest = int(WIDEST * view.size[1] / 2)
    if len(sample) < 8:
        return 2 * widest + 1
    # In space, since the back of a thing shines through its front in the picture. In a surface
    # the fourth neighbour is one step away, or as far as the diagonal one.
    few = slice(None, None, max(1, len(sample) // 500))
    step = cKDTree(sample).query(sample[few], 5)[0][:, 4] * view.focal / depth[few]
    half, most, nearly_all = np.quantile(step, (0.5, 0.75, 0.9)) * np.sqrt(
        len(sample) / len(points))
    # The lines of a sweep are far apart and cannot look closed: they stay lines.
    step = most if nearly_all < SWEEP * half else 0.7 * half
    least = 1 if len(points) > SPARSE else 2
    return 2 * int(np.clip(round(0.75 * step), least, max(widest, least))) + 1


def draw_points(points: np.ndarray, colors: np.ndarray, view: Viewpoint, light: float
                ) -> Tuple[np.ndarray, np.ndarray]:
    """
    Draw lit points on the background, each pixel from four.

    :param points: (n, 3) finite; :param colors: (n, 3) uint8.
    :param light: see :func:`shade`.
    :return: the picture (height, width, 3) float32, 0 to 255 and more, and the index of the
        point that each pixel shows (height, width), -1 = none.
    """
    large = view.enlarged(2)
    width = splat_width(points, large)
    depth, index = splat(points, large, width)
    packed = np.zeros((len(points) + 1, 4), np.uint8)
    packed[:-1, :3], packed[:-1, 3] = colors, 255
    pixels = packed.view(np.uint32)[:, 0][index].view(np.uint8).reshape(*index.shape, 4)
    small = np.asarray(Image.fromarray(pixels, 'RGBX').reduce(2), np.float32)
    depth, index = np.ascontiguousarray(depth[::2, ::2]), index[::2, ::2]
    picture = small[..., :3] * shade(depth, view, width / 2, light)[..., None]
    return picture + (1 - small[..., 3:] / 255) * backdrop(view.size), index


def shade(depth: np.ndarray, view: Viewpoint, grain: float, light: float) -> np.ndarray:
    """
    Light a depth image: a lamp over the viewer's shoulder, and eye-dome lighting.

    The latter (Boucheny 2009) darkens what lies behind its neighbours, by more than the noise
    around there.

    :param depth: (height, width) float32, NaN where nothing is.
    :param grain: how many pixels wide a point is.
    :param light: how much of the light comes from the lamp; the rest is everywhere.
    :return: (height, width) float32 factors of the colours, about 0.3 to 1.2.
    """
    log = np.log(depth)
    reach = max(1, round(0.6 * grain))
    steps = [log - np.roll(log, (down * reach, right * reach), (0, 1)) for down, right in RING]
    noise = np.mean([np.clip(np.nan_to_num(np.abs(step)), 0, 0.02) for step in steps[::3]], axis=0)
    noise = LEAST_STEP + NOISE * box_sum(noise, 15) / 15**2
    behind = sum(np.clip(np.nan_to_num(step - noise), 0, 0.08) for step in steps)
    lamp = _lamp(depth[::2, ::2], view, 2 * int(1.2 * grain + 1.5) + 1)
    lamp = np.repeat(np.repeat(lamp, 2, axis=0), 2, axis=1)[:depth.shape[0], :depth.shape[1]]
    return np.exp(-DEPTH_STRENGTH * behind) * (1 - light + light * lamp)


def _lamp(depth, view, window):
    """Return how much light each pixel of the halved image gets from the lamp, about 1."""
    rows, columns = np.mgrid[:depth.shape[0], :depth.shape[1]].astype(np.float32) * 2
    points = np.stack([(columns - view.centre[0]) / view.focal * depth,
                       (rows - view.centre[1]) / view.focal * depth, depth])
    normals = image_normals(points, 0.02 * np.nan_to_num(depth), window)
    return np.nan_to_num(0.35 + 0.95 * np.clip(np.einsum('kij,k->ij', normals, LIGHT), 0, 1),
                         nan=0.7).astype(np.float32)
