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

"""What part of a cloud is looked at, and its reduction to a voxel grid."""

from dataclasses import dataclass
from typing import Optional

from foundry_ros.config import by_mode, ConfigError, CropParams
import numpy as np


@dataclass(frozen=True)
class Voxels:
    """
    A cloud on a regular grid: one entry for every voxel that holds a point.

    ``points`` (m, 3) float32 are the means of the points in each voxel, ``cells`` (m, 3) int64
    its grid coordinates from 0, ``inverse`` (n,) int64 the voxel of each point, ``counts`` (m,)
    how many points it holds.
    """

    points: np.ndarray
    cells: np.ndarray
    inverse: np.ndarray
    counts: np.ndarray


def columns(xyz: np.ndarray) -> np.ndarray:
    """
    Lay all x one after the other in memory, then all y, then all z: passes over them are fast.

    :param xyz: (N, 3), a view of a message, say.
    :return: (N, 3) float32; the same array if it lies so.
    """
    return np.ascontiguousarray(xyz.T, np.float32).T


def region(xyz: np.ndarray, params: CropParams, mode: str = 'tabletop') -> np.ndarray:
    """
    Tell which points are finite, within range and within the box of interest.

    :param xyz: (N, 3) float32, NaN and inf allowed.
    :param params: ranges in metres, in the cloud's own frame.
    :param mode: ``objects.mode``, for the limits that it stands for.
    :return: (N,) bool.
    """
    params = by_mode(params, mode)
    # Comparisons with NaN are false, so one pass also drops what is not finite.
    with np.errstate(invalid='ignore', over='ignore'):
        x, y, z = xyz.T
        squared = x * x + y * y + z * z
        keep = (squared >= params.min_range ** 2) & (squared <= params.max_range ** 2)
        for axis, name in enumerate('xyz'):
            low, high = getattr(params, f'min_{name}'), getattr(params, f'max_{name}')
            if low > -params.max_range:
                keep &= xyz[:, axis] >= low
            if high < params.max_range:
                keep &= xyz[:, axis] <= high
    return keep


def left_out(xyz: np.ndarray, params: CropParams, mode: str = 'tabletop') -> str:
    """
    Say in one line why :func:`region` keeps no point of a cloud.

    :param xyz: (N, 3) float32, of which none is within range and within the box of interest.
    :param params: ranges in metres, in the cloud's own frame.
    :param mode: ``objects.mode``, for the limits that it stands for.
    """
    by_default = '' if params.max_range else f' of objects.mode {mode}'
    params = by_mode(params, mode)
    points = xyz[np.isfinite(xyz).all(axis=1)].astype(np.float64)
    if not len(points):
        return f'none of its {len(xyz):,} points is finite' if len(xyz) else 'it has no points'
    away = np.linalg.norm(points, axis=1)
    if away.max() < params.min_range:
        return (f'all {len(points):,} points are nearer than crop.min_range = '
                f'{params.min_range:g} m (farthest {away.max():.3g} m)')
    points, away = (each[away >= params.min_range] for each in (points, away))  # no-returns are 0
    if away.min() > params.max_range:
        return (f'all {len(points):,} points are farther than crop.max_range = '
                f'{params.max_range:g} m{by_default} (nearest {away.min():.3g} m)')
    points = points[away <= params.max_range]
    spans = ', '.join(f'{name} {low:.3g} to {high:.3g} m' for name, low, high
                      in zip('xyz', points.min(axis=0), points.max(axis=0)))
    return (f'the {len(points):,} points within range are all outside the box of crop.min_x to '
            f'crop.max_z ({spans})')


def up_vector(text: str) -> Optional[np.ndarray]:
    """
    Read the parameter ``crop.up``.

    :param text: ``'auto'``, or a direction in the cloud's frame as ``'x,y,z'``.
    :return: (3,) float64 unit vector, or None for auto.
    :raises ConfigError: not a direction.
    """
    if text.strip() == 'auto':
        return None
    try:
        vector = np.array([float(part) for part in text.split(',')])
    except ValueError:
        vector = np.zeros(0)
    length = np.linalg.norm(vector) if vector.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0):
        raise ConfigError(f'crop.up takes auto or a direction like "0,-1,0", not {text!r}')
    return vector / length


def voxel_grid(xyz: np.ndarray, size: float) -> Voxels:
    """
    Average the points of each cell of a regular grid.

    :param xyz: (n, 3) finite points.
    :param size: edge of a cell in metres; it is enlarged where the cloud's extent would
        otherwise need more cells than fit a 64-bit key.
    :return: the voxels in order of their keys (x slowest, z fastest).
    """
    if len(xyz) == 0:
        empty = np.zeros(0, np.int64)
        return Voxels(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64), empty, empty)
    low = xyz.min(axis=0).astype(np.float64)
    size = max(size, float((xyz.max(axis=0) - low).max()) / 2 ** 20)
    cells = ((xyz - low) / size).astype(np.int64)
    shape = cells.max(axis=0) + 1
    keys = (cells[:, 0] * shape[1] + cells[:, 1]) * shape[2] + cells[:, 2]
    keys, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    points = np.stack([np.bincount(inverse, xyz[:, axis] - low[axis]) / counts + low[axis]
                       for axis in range(3)], axis=1)
    cells = np.stack(np.unravel_index(keys, shape), axis=1)
    return Voxels(points.astype(np.float32), cells, inverse, counts)
