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

"""Surface normals, from the neighbourhood in the image or in space."""

import numpy as np
from numpy.lib.stride_tricks import as_strided


def image_normals(points: np.ndarray, jump: np.ndarray, window: int) -> np.ndarray:
    """
    Estimate the normal of each pixel from averaged tangents.

    The differences of neighbouring points along rows and along columns are averaged over a
    square window and crossed (Holzer et al. 2012, "average 3D gradient"); differences across
    a depth jump are left out, so edges stay sharp.

    :param points: (3, h, w) float32, NaN where there is nothing.
    :param jump: (h, w) metres between neighbouring pixels that are taken for a depth jump.
    :param window: odd width of the averaging window, pixels.
    :return: (3, h, w) float32 unit vectors towards the origin, NaN where there is no point.
    """
    across, along = (_mean_tangent(points, jump, window, axis) for axis in (-1, -2))
    normals = np.stack([along[1] * across[2] - along[2] * across[1],
                        along[2] * across[0] - along[0] * across[2],
                        along[0] * across[1] - along[1] * across[0]])
    length = np.sqrt(np.einsum('kij,kij->ij', normals, normals))
    away = np.einsum('kij,kij->ij', normals, points) > 0
    with np.errstate(invalid='ignore', divide='ignore'):
        length = np.where(np.isnan(points[2]), np.nan, length)
        normals /= np.where(away, -length, length)  # 0 / 0 where there is no tangent
    return normals


def _mean_tangent(points, jump, window, axis):
    """Sum the central differences along one image axis over the window."""
    behind, inner, ahead = (_cut(axis, *ends) for ends in ((0, -2), (1, -1), (2, None)))
    step = points[ahead] - points[behind]
    with np.errstate(invalid='ignore'):
        smooth = np.abs(step).max(axis=0) < 2 * jump[inner]
        smooth &= np.isfinite(points[2][inner])
    tangents = np.zeros_like(points)
    np.copyto(tangents[inner], step, where=smooth)
    return box_sum(tangents, window)


def box_sum(values: np.ndarray, window: int) -> np.ndarray:
    """
    Sum (..., h, w) values over a centred square window, along one axis after the other.

    :param window: odd width of the window.
    """
    half = window // 2
    border = [(0, 0)] * (values.ndim - 2) + [(half, half)] * 2
    padded = np.pad(values, border)
    # Rows follow each other in memory, so that both axes are steps along one.
    total = _running_sum(padded.ravel(), window, 1)
    total = _running_sum(total, window, padded.shape[-1])
    return as_strided(total, values.shape, padded.strides)


def _running_sum(values, count, step):
    """Add to each of (n,) values the next ``count - 1`` that are ``step`` apart."""
    length = len(values) - (count - 1) * step
    total, done, power = np.zeros(length, values.dtype), 0, 1
    while power <= count:
        if count & power:
            total += values[done * step:done * step + length]
            done += power
        if 2 * power <= count:  # from sums of 1, 2, 4 ... to those of twice as many
            values = values[:-power * step] + values[power * step:]
        power *= 2
    return total


def _cut(axis, start, stop):
    """Index (..., h, w) by a slice along its last axis (-1) or the one before (-2)."""
    part = slice(start, stop)
    return (..., part) if axis == -1 else (..., part, slice(None))
