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
"""Fewer points where time is short: every nth row and column, or larger voxels."""

from dataclasses import dataclass, replace

from foundry_ros.config import by_mode, Params
from foundry_ros.objects import Scene
import numpy as np

# Images are not made narrower than this; segmentation works at this width.
WIDTH = 320
# Neighbouring pixels of a surface are no farther apart than this share of the range.
SAME_SURFACE = 0.015


@dataclass(frozen=True)
class Thinned:
    """
    What is left of a cloud.

    ``xyz`` (n, 3) float32 as of :func:`foundry_ros.crop.columns`, n = ``height`` * ``width``;
    ``kept`` (n,) int64 are their indices in the whole cloud, of ``columns`` columns, of which
    every ``step``-th was taken. ``params`` are those for so few points.
    """

    xyz: np.ndarray
    height: int
    width: int
    kept: np.ndarray
    step: int
    columns: int
    params: Params

    def restored(self, scene: Scene, whole: np.ndarray) -> Scene:
        """
        Give a scene of these points with indices into the whole cloud.

        The pixels between those that were kept go to the objects beside them, if they are as
        near to the sensor and clear of the surfaces: so the student sees as much as ever.

        :param whole: (N, 3) float32 the cloud.
        """
        if self.step == 1:
            return scene
        surfaces = tuple(replace(plane, indices=self.kept[plane.indices])
                         for plane in scene.surfaces)
        objects = tuple(replace(crop, indices=self._filled(self.kept[crop.indices], whole,
                                                           scene.surfaces))
                        for crop in scene.objects)
        return replace(scene, objects=objects, surfaces=surfaces)

    def _filled(self, kept, whole, surfaces):
        """Add the pixels of the blocks that kept ones stand for; (n,) ascending."""
        if len(self.kept) == len(whole):
            return kept
        across, down = np.meshgrid(np.arange(self.step), np.arange(self.step))
        offsets = (across + self.columns * down).ravel()[1:]
        inside = kept % self.columns + self.step <= self.columns
        inside &= kept + offsets[-1] < len(whole)
        seeds = np.repeat(kept[inside], len(offsets))
        added = (kept[inside][:, None] + offsets).ravel()
        points = whole.T.take(added, axis=1)
        apart = np.linalg.norm(points - whole.T.take(seeds, axis=1), axis=0)
        near = apart <= SAME_SURFACE * np.linalg.norm(points, axis=0)  # false for NaN
        for plane in surfaces:
            near &= np.abs(plane.height(points.T)) > self.params.objects.surface_distance
        return np.sort(np.concatenate([kept, added[near]]))


def most(height: int, width: int, params: Params) -> int:
    """Tell the largest step that a cloud can be thinned by."""
    if height == 1 or params.objects.mode == 'lidar':
        return params.budget.max_thinning
    return max(1, min(params.budget.max_thinning, width // WIDTH))


def thin(xyz: np.ndarray, height: int, width: int, step: int, params: Params) -> Thinned:
    """
    Take every ``step``-th row and column of an organised cloud.

    The points of another cloud all stay: averaged over larger voxels they cost less.

    :param xyz: (N, 3) float32, N = ``height`` * ``width``; ``height`` 1 is not organised.
    :param params: whose numbers of points are for the whole cloud.
    """
    mode = params.objects.mode
    objects = by_mode(params.objects, mode)
    if height == 1 or mode == 'lidar':
        objects = replace(objects, voxel_size=objects.voxel_size * step)
        return Thinned(xyz, height, width, np.arange(len(xyz)), step, width,
                       replace(params, objects=objects))
    image = xyz.T.reshape(3, height, width)[:, ::step, ::step]
    kept = np.arange(height * width).reshape(height, width)[::step, ::step].ravel()
    objects = replace(objects, min_points=max(objects.min_points // step ** 2, 1))
    return Thinned(np.ascontiguousarray(image).reshape(3, -1).T, *image.shape[1:], kept, step,
                   width, replace(params, objects=objects))
